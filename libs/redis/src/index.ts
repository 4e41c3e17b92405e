export { policyFault } from './check-policy.js';
export { RedisConnections, type CommandObserver, type RedisRole, type RedisSettings } from './redis-connections.js';
export { RedisScript, type RedisCall } from './redis-script.js';
