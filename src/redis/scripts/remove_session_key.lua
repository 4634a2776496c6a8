-- KEYS user; ARGV name. Its counts stay, for WeChat may give it again.
local user = read_user(KEYS[1])
local _, key = without(user.keys, ARGV[1])
if key then
  key.sealed = ''
  write_user(KEYS[1], user, 0)
end
