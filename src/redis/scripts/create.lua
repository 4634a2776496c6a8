-- KEYS session, user; ARGV value, ttl (ms), name, end (s), now (s), rest of its life (ms)
local user = read_user(KEYS[2])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local sessions = {}
for _, session in ipairs(user.sessions) do
  if session.ends > tonumber(ARGV[5]) and session.id ~= ARGV[3] then
    sessions[#sessions + 1] = session
  end
end
sessions[#sessions + 1] = { id = ARGV[3], ends = tonumber(ARGV[4]) }
user.sessions = sessions
write_user(KEYS[2], user, tonumber(ARGV[6]))
return #sessions
