-- KEYS user, then each session and its notice; ARGV their names in the same order. Gives those that
-- were there.
local user, ended = read_user(KEYS[1]), {}
for i, name in ipairs(ARGV) do
  user.sessions = without(user.sessions, name)
  if redis.call('DEL', KEYS[2 * i]) == 1 then
    ended[#ended + 1] = name
    -- Nothing stays of the notice: that it changed is told to all, and tells an end from a change.
    redis.call('SET', KEYS[2 * i + 1], '', 'PX', 1000)
    redis.call('DEL', KEYS[2 * i + 1])
  end
end
write_user(KEYS[1], user, 0)
return ended
