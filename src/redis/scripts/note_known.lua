-- KEYS user; ARGV ttl (ms)
local user = read_user(KEYS[1])
user.known = 1
write_user(KEYS[1], user, tonumber(ARGV[1]))
