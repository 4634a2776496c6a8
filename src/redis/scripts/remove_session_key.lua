-- KEYS ring; ARGV name
local left = redis.call('PTTL', KEYS[1])
if left <= 0 then
  return
end
local ring = others(redis.call('GET', KEYS[1]), ARGV[1])
if #ring == 0 then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], '\1' .. table.concat(ring), 'PX', left)
end
