-- A user, as codec.rs reads it: the version, whether known, how many keys; of each key its name (16 bytes), time (4),
-- tries and failures (1 each), length (2) and the key; then of each session its name (16) and end (4).
-- Nothing where it cannot be read.
local function parse_user(value)
  if #value < 3 or string.byte(value, 1) ~= 1 then
    return nil
  end
  local keys, sessions, at = {}, {}, 4
  for i = 1, string.byte(value, 3) do
    if at + 23 > #value then
      return nil
    end
    local tries, failures, high, low = string.byte(value, at + 20, at + 23)
    local sealed = string.sub(value, at + 24, at + 23 + high * 256 + low)
    keys[i] = { id = string.sub(value, at, at + 15), time = string.sub(value, at + 16, at + 19),
      tries = tries, failures = failures, sealed = sealed }
    at = at + 24 + high * 256 + low
  end
  if (#value + 1 - at) % 20 ~= 0 or at > #value + 1 then
    return nil
  end
  for first = at, #value, 20 do
    local ends = struct.unpack('>I4', value, first + 16)
    sessions[#sessions + 1] = { id = string.sub(value, first, first + 15), ends = ends }
  end
  return { known = string.byte(value, 2), keys = keys, sessions = sessions }
end

-- Nobody is there, or he is read; nothing where he cannot be.
local function find_user(name)
  local value = redis.call('GET', name)
  if not value then
    return { known = 0, keys = {}, sessions = {} }
  end
  return parse_user(value)
end

-- The same; ends the script where he cannot be read, so before it writes anything: what another version knows of him
-- would be lost, and his sessions with it, which nobody could end any more.
local function read_user(name)
  return find_user(name) or error('WXGATE_UNREADABLE', 0)
end

-- Kept as long as before, and at least for that many milliseconds.
local function write_user(name, user, ttl)
  local before = redis.call('PTTL', name)
  if before == -1 then
    before = 2592000000 -- somebody took its end away: it gets one again, in 30 days
  end
  local left = math.max(before, ttl)
  if left <= 0 or user.known == 0 and #user.keys == 0 and #user.sessions == 0 then
    redis.call('DEL', name)
    return
  end
  local parts = { string.char(1, user.known, #user.keys) }
  for _, key in ipairs(user.keys) do
    local length = #key.sealed
    local counts = string.char(key.tries, key.failures, math.floor(length / 256), length % 256)
    parts[#parts + 1] = key.id .. key.time .. counts .. key.sealed
  end
  for _, session in ipairs(user.sessions) do
    parts[#parts + 1] = session.id .. struct.pack('>I4', session.ends)
  end
  redis.call('SET', name, table.concat(parts), 'PX', left)
end

-- The list without the one of that name, and that one.
local function without(list, id)
  local rest, found = {}, nil
  for _, entry in ipairs(list) do
    if entry.id == id then
      found = entry
    else
      rest[#rest + 1] = entry
    end
  end
  return rest, found
end
