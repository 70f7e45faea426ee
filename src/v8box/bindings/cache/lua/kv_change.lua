-- One change of one value of a namespace, made only if it is still what whoever changes it has seen.
-- KEYS: the value, the index by name, the index by expiry. ARGV: 'put', 'ttl' or 'delete', the condition ('any',
-- 'absent', 'was') and what it compares with, the name, when it expires (ms since 1970, 'none' or 'keep'), the value,
-- its metadata or ''. Gives {1}, {0} when the condition did not hold, or {-1} when there is no such value.
local key, what, condition, was, name, expires = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local call = redis.call
local there = call('EXISTS', key) == 1
if condition == 'absent' and there then return {0} end
if condition == 'was' then
  if not there or call('HSTRLEN', key, 'v') > 1048576 then return {0} end
  local now = redis.sha1hex(call('HGET', key, 'v') .. '\0' .. (call('HGET', key, 'm') or ''))
  if now ~= was then return {0} end
end
if what ~= 'put' and not there then return {-1} end
if what == 'delete' then
  call('UNLINK', key)
  call('ZREM', KEYS[2], name)
  call('ZREM', KEYS[3], name)
  return {1}
end
if what == 'put' then
  local at = there and call('ZSCORE', KEYS[3], name)
  if expires == 'keep' then
    expires = at and string.format('%.0f', at) or 'none'
  end
  call('DEL', key)
  call('HSET', key, 'v', ARGV[6])
  if ARGV[7] ~= '' then call('HSET', key, 'm', ARGV[7]) end
  call('ZADD', KEYS[2], '0', name)
end
if expires == 'none' then
  call('PERSIST', key)
  call('ZREM', KEYS[3], name)
else
  call('PEXPIREAT', key, expires)
  call('ZADD', KEYS[3], expires, name)
end
return {1}
