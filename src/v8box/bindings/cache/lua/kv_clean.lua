-- Takes names whose value has expired out of a namespace's index. KEYS: the index by name, the index by expiry.
-- ARGV: the prefix of values, now in ms, how many names to look at.
local names = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])
local gone = 0
for _, name in ipairs(names) do
  if redis.call('EXISTS', ARGV[1] .. name) == 0 then
    redis.call('ZREM', KEYS[1], name)
    redis.call('ZREM', KEYS[2], name)
    gone = gone + 1
  end
end
return gone
