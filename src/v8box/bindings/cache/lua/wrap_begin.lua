-- KEYS: the value, its lease. ARGV: a token, how long the lease lasts in ms.
-- Gives {1, value}, or {2} when the lease is the caller's, or {0} when another computes.
local value = redis.call('GET', KEYS[1])
if value then
  return {1, value}
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return {2}
end
return {0}
