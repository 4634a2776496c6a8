-- KEYS counter; ARGV ttl (ms). A counter is a value like any other, its eight bytes a number.
local value = redis.call('GET', KEYS[1])
local count = 0
if value and #value == 9 and string.byte(value, 1) == 1 then
  count = struct.unpack('>I8', value, 2)
end
local left = redis.call('PTTL', KEYS[1])
if left <= 0 then
  left = ARGV[1]
end
redis.call('SET', KEYS[1], '\1' .. struct.pack('>I8', count + 1), 'PX', left)
return count + 1
