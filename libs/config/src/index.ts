export { CONFIG, InjectConfig } from './config-token.js';
export { parseDatabaseUrl, type DatabaseHost, type DatabaseUrl } from './database-url.js';
export { databaseSettings, serviceSettings } from './fragments.js';
export { kmsSettings } from './kms-settings.js';
export { ConfigError, environmentWith, loadConfig, type Environment } from './load-config.js';
export { redisSettings } from './redis-settings.js';
export { parseRedisUrl, type RedisAddress } from './redis-url.js';
export { booleanText, integerText, listText, urlText } from './schemas.js';
export {
  choice,
  defineConfig,
  secret,
  setting,
  settingsOf,
  type ConfigDefinition,
  type ConfigOf,
  type Setting,
} from './setting.js';
