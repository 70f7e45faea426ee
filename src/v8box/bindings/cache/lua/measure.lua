-- One step of measuring every project: a page of SCAN from the cursor ARGV[1], about ARGV[2] names.
-- Gives the next cursor, then project, bytes, project, bytes …
local page = redis.call('SCAN', ARGV[1], 'COUNT', ARGV[2])
local sizes = {}
for _, name in ipairs(page[2]) do
  local project = string.match(name, '^[pkl]:([^:]+):')
  if project then
    sizes[project] = (sizes[project] or 0) + (redis.call('MEMORY', 'USAGE', name) or 0)
  end
end
local answer = {page[1]}
for project, size in pairs(sizes) do
  answer[#answer + 1] = project
  answer[#answer + 1] = size
end
return answer
