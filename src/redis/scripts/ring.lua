-- The entries of a ring but the one of this name: 16 bytes of name, 8 of time, 2 of length, the key.
local function others(value, id)
  local entries = {}
  if not value or string.byte(value, 1) ~= 1 then
    return entries
  end
  local at = 2
  while at + 25 <= #value do
    local length = string.byte(value, at + 24) * 256 + string.byte(value, at + 25)
    local entry = string.sub(value, at, at + 25 + length)
    if #entry == 26 + length and string.sub(entry, 1, 16) ~= id then
      entries[#entries + 1] = entry
    end
    at = at + 26 + length
  end
  return entries
end
