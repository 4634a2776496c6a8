-- KEYS value; ARGV value, ttl (ms). Gives what is there. A value of another version is as good as none, and given
-- as the second.
local there = redis.call('GET', KEYS[1])
if there and string.byte(there, 1) == 1 then
  return { there, false }
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return { false, there }
