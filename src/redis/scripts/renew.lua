-- KEYS session; ARGV idle (ms), now (s)
local value = redis.call('GET', KEYS[1])
if not value or string.byte(value, 1) ~= 1 or #value < 9 then
  return 0
end
local rest = (struct.unpack('>I8', value, 2) - tonumber(ARGV[2])) * 1000
local ttl = math.min(tonumber(ARGV[1]), rest)
if ttl <= 0 then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ttl)
