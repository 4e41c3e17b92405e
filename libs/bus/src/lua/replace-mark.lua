-- Replaces a mark if it is still the one that was set: what was lost in the meantime has taken it away.
-- KEYS[1]  the mark
-- ARGV[1]  its value until now
-- ARGV[2]  its new value
-- Reply    1 if it was replaced, else 0
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
