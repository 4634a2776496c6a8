-- KEYS cell; ARGV interval, tolerance (µs). GCRA as in src/rate.rs, by this server's clock: what the
-- gateways' clocks say does not matter. Gives the wait until there is room (0: one more was let through)
-- and how far ahead of now the next is due, both in µs; and what was there and could not be read.
local time = redis.call('TIME')
-- Counted from 2023, so that a double holds fractions of a microsecond.
local now = (time[1] - 1700000000) * 1000000 + time[2]
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local due, other = now, false
local value = redis.call('GET', KEYS[1])
if value and (#value ~= 9 or string.byte(value, 1) ~= 1) then
  other = value
elseif value then
  -- No further ahead than a burst: the clock may have been set back, the quota may have been another.
  due = math.min(math.max(struct.unpack('>d', value, 2), now), now + tolerance + interval)
end
local wait = due - tolerance - now
-- Less than half a microsecond is rounding.
if wait > 0.5 then
  return {math.ceil(wait), math.ceil(due - now), other}
end
due = due + interval
redis.call('SET', KEYS[1], '\1' .. struct.pack('>d', due), 'PX', math.ceil((due - now) / 1000))
return {0, math.ceil(due - now), other}
