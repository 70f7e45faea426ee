-- One change of one key, made only if it is still what whoever changes it has seen.
-- KEYS: the key. ARGV: its type, what to do, the condition and what it compares with, then what the change takes.
-- A condition is 'any', 'absent' or 'was'. Gives {1} when it is done, {0} when the condition did not hold, {-1} when
-- there is no such key or item, {-2, type} when the key is of another type.
local key, kind, what, condition, was = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local a, b = ARGV[5], ARGV[6]
local call = redis.call
local type = call('TYPE', key).ok
local there = type ~= 'none'

if what == 'delete' then
  if not there then return {-1} end
  if condition == 'was' and (type ~= 'string' or redis.sha1hex(call('GET', key)) ~= was) then return {0} end
  call('UNLINK', key)
  return {1}
end
if what == 'create' and there then return {0} end
if there and type ~= kind then return {-2, type} end
if not there and (what == 'remove' or condition == 'was') then return {condition == 'was' and 0 or -1} end

-- Whether what is there now, false for nothing, is what the condition wants.
local function holds(now, same)
  if condition == 'absent' then return not now end
  return condition == 'any' or (now and (same or now == was))
end

if kind == 'string' then
  local same = condition == 'was' and call('STRLEN', key) <= 1048576 and redis.sha1hex(call('GET', key)) == was
  if not holds(there, same) then return {0} end
  if b == 'keep' then
    local left = there and call('PTTL', key) or -1
    call('SET', key, a)
    if left > 0 then call('PEXPIRE', key, left) end
  elseif b == 'none' then
    call('SET', key, a)
  else
    call('SET', key, a, 'PX', b)
  end
elseif kind == 'hash' then
  local now = call('HGET', key, a)
  if not holds(now) then return {0} end
  if what == 'remove' then
    if not now then return {-1} end
    call('HDEL', key, a)
  else
    call('HSET', key, a, b)
  end
elseif kind == 'set' then
  if not holds(call('SISMEMBER', key, a) == 1, true) then return {0} end
  if what == 'remove' then
    if call('SREM', key, a) == 0 then return {-1} end
  else
    call('SADD', key, a)
  end
elseif kind == 'zset' then
  local now = call('ZSCORE', key, a)
  if not holds(now, now and tonumber(now) == tonumber(was)) then return {0} end
  if what == 'remove' then
    if not now then return {-1} end
    call('ZREM', key, a)
  else
    call('ZADD', key, b, a)
  end
elseif kind == 'list' then
  if what == 'prepend' or what == 'append' or what == 'create' then
    call(what == 'prepend' and 'LPUSH' or 'RPUSH', key, b)
  else
    local now = there and call('LINDEX', key, a)
    if not now then return {condition == 'was' and 0 or -1} end
    if not holds(now) then return {0} end
    if what == 'remove' then
      -- There is no removal by position: the item is made one that is nowhere else first.
      local mark = 'removed:' .. redis.sha1hex(key .. a .. now) .. call('LLEN', key)
      call('LSET', key, a, mark)
      call('LREM', key, tonumber(a) < 0 and -1 or 1, mark)
    else
      call('LSET', key, a, b)
    end
  end
elseif kind == 'stream' then
  if what == 'remove' then
    if call('XDEL', key, a) == 0 then return {-1} end
  else
    return {1, call('XADD', key, a, unpack(ARGV, 6))}
  end
end
return {1}
