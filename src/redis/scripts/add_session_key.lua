-- KEYS user; ARGV name, time, sealed key, ttl (ms), most keys, most failures. Whether it may be used: what was
-- counted on it before goes on counting.
local user = read_user(KEYS[1])
local keys, known = without(user.keys, ARGV[1])
local key = known or { id = ARGV[1], tries = 0, failures = 0 }
local burnt = key.failures >= tonumber(ARGV[6])
key.time, key.sealed = ARGV[2], burnt and '' or ARGV[3]
table.insert(keys, 1, key)
while #keys > tonumber(ARGV[5]) do
  table.remove(keys)
end
user.keys = keys
write_user(KEYS[1], user, tonumber(ARGV[4]))
return burnt and 0 or 1
