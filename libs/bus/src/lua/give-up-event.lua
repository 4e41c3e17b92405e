-- Moves an event that is given up to the dead letters: both, or neither.
-- KEYS[1]  the stream
-- KEYS[2]  its dead letters
-- ARGV[1]  the group
-- ARGV[2]  the entry's id
-- ARGV[3]  how many dead letters are kept, about
-- ARGV[4…] the fields of the dead letter
-- Reply    1 if it was given up now, 0 if somebody else has acknowledged it before
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then
  return 0
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', unpack(ARGV, 4))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return 1
