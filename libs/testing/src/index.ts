export { FakeClock } from './fake-clock.js';
export { PostgresServer, startPostgres } from './postgres-server.js';
export { RedisServer, startRedis, type RedisServerOptions } from './redis-server.js';
export { hasS3Server, S3Server } from './s3-server.js';
export { TcpProxy } from './tcp-proxy.js';
export { testDataKeys, testMasterKeys, testPageStore } from './test-page-store.js';
export { until, type UntilOptions } from './until.js';
export { newIssuerKey, OidcIssuer, type IssuerAccount, type IssuerClient } from './oidc-issuer.js';
