-- A page of what a key holds. KEYS: the key. ARGV: its type, the cursor, how many items, how many bytes of each.
-- Gives the next cursor ('' at the end), how many items there are, and the items. A text in them is two values: its
-- beginning, and its whole length.
local key, kind, cursor, count, cut = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local room = 4000000
local out = {}

local function add(list, text)
  local given = string.sub(text, 1, math.min(cut, room))
  room = room - #given
  list[#list + 1] = given
  list[#list + 1] = #text
end

local function after(total)
  local next = tonumber(cursor) + count
  return next < total and string.format('%d', next) or ''
end

if kind == 'hash' or kind == 'set' then
  local page = redis.call(kind == 'hash' and 'HSCAN' or 'SSCAN', key, cursor, 'COUNT', count)
  for _, text in ipairs(page[2]) do add(out, text) end
  return {page[1] == '0' and '' or page[1], redis.call(kind == 'hash' and 'HLEN' or 'SCARD', key), out}
elseif kind == 'field' then
  local value = redis.call('HGET', key, cursor)
  if value then
    add(out, cursor)
    add(out, value)
  end
  return {'', redis.call('HLEN', key), out}
elseif kind == 'list' then
  local total = redis.call('LLEN', key)
  for _, text in ipairs(redis.call('LRANGE', key, cursor, tonumber(cursor) + count - 1)) do add(out, text) end
  return {after(total), total, out}
elseif kind == 'zset' then
  local total = redis.call('ZCARD', key)
  local found = redis.call('ZRANGE', key, cursor, tonumber(cursor) + count - 1, 'WITHSCORES')
  for index = 1, #found, 2 do
    add(out, found[index])
    out[#out + 1] = found[index + 1]
  end
  return {after(total), total, out}
end
-- A stream, the newest first.
local found = redis.call('XREVRANGE', key, cursor, '-', 'COUNT', count + 1)
local last = ''
for index = 1, math.min(count, #found) do
  local parts = {}
  for at = 1, math.min(200, #found[index][2]) do add(parts, found[index][2][at]) end
  last = found[index][1]
  out[#out + 1] = last
  out[#out + 1] = #found[index][2]
  out[#out + 1] = parts
end
return {#found > count and '(' .. last or '', redis.call('XLEN', key), out}
