-- Takes tokens of a bucket, all or none, by the server's own clock. The bucket is one number: up to when its tokens are spent, in
-- microseconds (GCRA); it goes by itself once it would be full.
-- KEYS[1]  the bucket
-- ARGV[1]  microseconds in which one token comes back
-- ARGV[2]  how many tokens it holds
-- ARGV[3]  how many are taken; below 0, how many are given back
-- Reply    0 where they were taken, else the microseconds until they are there
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local empty = now + ARGV[1] * ARGV[2]
-- No emptier than empty: the bucket may have been slower before, or the clock ahead.
local before = math.min(math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now), empty)
local spent = before + ARGV[1] * ARGV[3]
local missing = spent - empty
if missing > 0 then
  return math.ceil(missing)
end
redis.call('SET', KEYS[1], string.format('%.0f', spent), 'PX', math.max(1, math.ceil((spent - now) / 1000)))
return 0
