-- Adds entries to a stream, so that whoever is blocked on it is woken once, with all of them.
-- KEYS[1]  the stream
-- ARGV[1]  how many entries are kept, about
-- ARGV[2]  milliseconds after which the stream goes by itself; 0 for never
-- ARGV[3…] the one field of each entry
-- Reply    the entries' ids
local ids = {}
for index = 3, #ARGV do
  ids[index - 2] = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'e', ARGV[index])
end
if ARGV[2] ~= '0' then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return ids
