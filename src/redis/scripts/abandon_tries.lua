-- KEYS user; ARGV most failures. Burns the keys that have no try left.
local user = read_user(KEYS[1])
for _, key in ipairs(user.keys) do
  if key.tries >= tonumber(ARGV[1]) then
    key.failures, key.sealed = key.tries, ''
  end
end
write_user(KEYS[1], user, 0)
