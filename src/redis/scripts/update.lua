-- KEYS session, user; ARGV value, name, end (s), rest of its life (ms), expected
local left = redis.call('PTTL', KEYS[1])
if left <= 0 or redis.call('GET', KEYS[1]) ~= ARGV[5] then
  return 0
end
local user, rest = read_user(KEYS[2]), tonumber(ARGV[4])
redis.call('SET', KEYS[1], ARGV[1], 'PX', math.max(math.min(left, rest), 1))
local sessions = without(user.sessions, ARGV[2])
sessions[#sessions + 1] = { id = ARGV[2], ends = tonumber(ARGV[3]) }
user.sessions = sessions
write_user(KEYS[2], user, rest)
return 1
