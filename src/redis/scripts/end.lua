-- KEYS user, then each session and its notice; ARGV their names in the same order. Gives whether the user could be
-- read, and those that were there: who names a session ends it, whatever the list looks like.
local user, ended = find_user(KEYS[1]), {}
for i, name in ipairs(ARGV) do
  if user then
    user.sessions = without(user.sessions, name)
  end
  if redis.call('DEL', KEYS[2 * i]) == 1 then
    ended[#ended + 1] = name
    -- Nothing stays of the notice: that it changed is told to all, and tells an end from a change.
    redis.call('SET', KEYS[2 * i + 1], '', 'PX', 1000)
    redis.call('DEL', KEYS[2 * i + 1])
  end
end
if user then
  write_user(KEYS[1], user, 0)
end
return { user and 1 or 0, ended }
