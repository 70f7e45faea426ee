-- Adds what a node let through to what all nodes know, and gives that back. KEYS: one per bucket. ARGV: the node's time,
-- then for each bucket: the seconds owed, since when, the TAT that the node knows, the burst in seconds.
-- A TAT (theoretical arrival time) is Unix time in seconds; one in the past is none, so keys go by themselves.
local now = tonumber(ARGV[1])
local merged = {}
for i, key in ipairs(KEYS) do
  local at = 4 * i - 2
  local owed, since, known, burst = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local tat = tonumber(redis.call('GET', key) or '0')
  if owed > 0 then
    if since > tat then tat = since end
    tat = tat + owed
  end
  if known > tat then tat = known end
  if tat > now + burst then tat = now + burst end
  if tat > now then
    redis.call('SET', key, string.format('%.6f', tat), 'PX', math.ceil((tat - now) * 1000) + 1000)
  end
  merged[i] = string.format('%.6f', tat)
end
return merged
