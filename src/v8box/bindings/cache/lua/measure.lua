-- One step of measuring every project: a page of SCAN from the cursor ARGV[1], about ARGV[2] names.
-- Gives the next cursor, then for each space that was met: its name, bytes, keys. A space is `p:<project>`,
-- `k:<project>:<namespace>` or `l:<project>`; the indexes of a namespace count as bytes, not as keys.
local page = redis.call('SCAN', ARGV[1], 'COUNT', ARGV[2])
local bytes, keys = {}, {}
for _, name in ipairs(page[2]) do
  local space = string.match(name, '^([pl]:[^:]+):')
  local counts = space ~= nil
  if not space then
    space = string.match(name, '^(k:[^:]+:[^:]+):')
    counts = space ~= nil and string.sub(name, #space + 1, #space + 3) == ':v:'
  end
  if space then
    bytes[space] = (bytes[space] or 0) + (redis.call('MEMORY', 'USAGE', name) or 0)
    keys[space] = (keys[space] or 0) + (counts and 1 or 0)
  end
end
local answer = {page[1]}
for space, size in pairs(bytes) do
  answer[#answer + 1] = space
  answer[#answer + 1] = size
  answer[#answer + 1] = keys[space]
end
return answer
