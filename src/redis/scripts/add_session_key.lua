-- KEYS ring; ARGV entry, ttl (ms), most entries
local ring = others(redis.call('GET', KEYS[1]), string.sub(ARGV[1], 1, 16))
table.insert(ring, 1, ARGV[1])
while #ring > tonumber(ARGV[3]) do
  table.remove(ring)
end
redis.call('SET', KEYS[1], '\1' .. table.concat(ring), 'PX', ARGV[2])
