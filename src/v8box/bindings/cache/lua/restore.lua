-- Runs the command ARGV[2…] once, however often it is sent: who sent it does not always hear that it ran.
-- KEYS: a mark of this attempt, the key of the command. ARGV: how long the mark lasts in ms, then the command.
if redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) then
  redis.call(unpack(ARGV, 2))
end
return 1
