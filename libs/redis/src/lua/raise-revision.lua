-- Sets a revision unless it is as high already: copies may arrive in any order.
-- KEYS[1]  the hash of a workspace's revisions
-- ARGV[1]  the name of the revision
-- ARGV[2]  its value, a whole number
-- Reply    the value that the hash has now
local known = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '-1')
if known >= tonumber(ARGV[2]) then
  return known
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return tonumber(ARGV[2])
