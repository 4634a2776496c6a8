-- KEYS user; ARGV most tries. Counts a try on each key and gives them: name, time, sealed key. Nothing where one of
-- them has as many tries under way as may still fail.
local user, taken = read_user(KEYS[1]), {}
for _, key in ipairs(user.keys) do
  if key.sealed ~= '' then
    if key.tries >= tonumber(ARGV[1]) then
      return false
    end
    key.tries = key.tries + 1
    taken[#taken + 1] = { key.id, key.time, key.sealed }
  end
end
if #taken > 0 then
  write_user(KEYS[1], user, 0)
end
return taken
