-- KEYS counter; ARGV ttl (ms). A counter is a value like any other, its eight bytes a number. Gives the count, and
-- what was there instead of a counter, which counts as nothing.
local left = redis.call('PTTL', KEYS[1])
local value = redis.call('GET', KEYS[1])
local other = value and (#value ~= 9 or string.byte(value, 1) ~= 1) and value
-- In its last millisecond it is there with 0 left: as good as gone.
if left <= 0 or not value then
  redis.call('SET', KEYS[1], '\1' .. struct.pack('>I8', 1), 'PX', ARGV[1])
  return { 1, other }
end
if other then
  redis.call('SET', KEYS[1], '\1' .. struct.pack('>I8', 1), 'PX', left)
  return { 1, other }
end
local count = struct.unpack('>I8', value, 2) + 1
-- In place, so that the TTL stays what it is.
redis.call('SETRANGE', KEYS[1], 1, struct.pack('>I8', count))
return { count, false }
