-- A page of a namespace's names. KEYS: the index by name, the index by expiry.
-- ARGV: the prefix of values, the lower and the upper bound as ZRANGEBYLEX has them, names to give, names to look at.
-- Names whose value has expired are taken out of the index on the way. Gives the last name looked at, 1 if there may be
-- more, and for each name: name, expiry in ms or "", metadata or "".
local look = tonumber(ARGV[5])
local names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[2], ARGV[3], 'LIMIT', 0, look + 1)
local found = {}
local given = 0
local last = ''
for index, name in ipairs(names) do
  if index > look or given == tonumber(ARGV[4]) then
    return {last, 1, found}
  end
  last = name
  if redis.call('EXISTS', ARGV[1] .. name) == 0 then
    redis.call('ZREM', KEYS[1], name)
    redis.call('ZREM', KEYS[2], name)
  else
    given = given + 1
    found[#found + 1] = name
    found[#found + 1] = redis.call('ZSCORE', KEYS[2], name) or ''
    found[#found + 1] = redis.call('HGET', ARGV[1] .. name, 'm') or ''
  end
end
return {last, 0, found}
