-- KEYS the user's sessions, sessions…; ARGV their names in the same order. Gives those that were there.
local ended = {}
for i, name in ipairs(ARGV) do
  redis.call('ZREM', KEYS[1], name)
  if redis.call('DEL', KEYS[i + 1]) == 1 then
    ended[#ended + 1] = name
  end
end
return ended
