-- KEYS user; ARGV most failures, whether it failed (1 or 0), names of the keys
local user = read_user(KEYS[1])
for i = 3, #ARGV do
  local _, key = without(user.keys, ARGV[i])
  if key and ARGV[2] == '0' then
    key.tries = math.max(key.tries - 1, key.failures)
  elseif key then
    key.failures = key.failures + 1
    key.tries = math.max(key.tries, key.failures)
    if key.failures >= tonumber(ARGV[1]) then
      key.sealed = ''
    end
  end
end
write_user(KEYS[1], user, 0)
