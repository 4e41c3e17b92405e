export { policyFault } from './check-policy.js';
export { RedisConnections, type CommandObserver, type RedisRole, type RedisSettings } from './redis-connections.js';
export { RedisKeys } from './redis-keys.js';
