-- Takes requests out of their stream, so that each is handled at most once: by whoever deleted it.
-- KEYS[1]  the stream
-- ARGV[1]  the group to acknowledge in; empty where the stream is read without one
-- ARGV[2…] ids of entries
-- Reply    {milliseconds of this server's clock, then for each id 1 if it was still there, else 0}
local now = redis.call('TIME')
local reply = { now[1] * 1000 + math.floor(now[2] / 1000) }
for index = 2, #ARGV do
  reply[index] = redis.call('XDEL', KEYS[1], ARGV[index])
end
if ARGV[1] ~= '' then
  redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 2))
end
return reply
