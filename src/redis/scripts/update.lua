-- KEYS session, the user's sessions; ARGV value, name, end (s), rest of its life (ms), expected
local left = redis.call('PTTL', KEYS[1])
if left <= 0 or redis.call('GET', KEYS[1]) ~= ARGV[5] then
  return 0
end
local rest = tonumber(ARGV[4])
redis.call('SET', KEYS[1], ARGV[1], 'PX', math.max(math.min(left, rest), 1))
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
if redis.call('PTTL', KEYS[2]) < rest then
  redis.call('PEXPIRE', KEYS[2], rest)
end
return 1
