export { FakeClock } from './fake-clock.js';
export { PostgresServer, startPostgres } from './postgres-server.js';
export { RedisServer, startRedis, type RedisServerOptions } from './redis-server.js';
export { TcpProxy } from './tcp-proxy.js';
export { until, type UntilOptions } from './until.js';
