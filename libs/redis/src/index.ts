export { policyFault } from './check-policy.js';
export {
  RedisConnections,
  type CommandObserver,
  type RedisClient,
  type RedisRole,
  type RedisSettings,
} from './redis-connections.js';
export { RedisKeys } from './redis-keys.js';
export { RevisionCopies, type RevisionName } from './revision-copies.js';
export { TokenBuckets, type BucketSize } from './token-buckets.js';
export { RedisScript, type RedisCall } from './redis-script.js';
