export { CONFIG, InjectConfig } from './config-token.js';
export { parseDatabaseUrl, type DatabaseHost, type DatabaseUrl } from './database-url.js';
export { databaseSettings, serviceSettings } from './fragments.js';
export { kmsSettings } from './kms-settings.js';
export { configFilePath, configuredEnvironment, readConfigFile } from './config-file.js';
export { effectiveSettings, faultsOf, type EffectiveSetting } from './effective-settings.js';
export { flags, flagSetting, isFlagOn, type FlagRule } from './flags.js';
export {
  ConfigError,
  environmentWith,
  loadConfig,
  loadLiveConfig,
  type ConfigChange,
  type Environment,
  type LiveConfig,
} from './load-config.js';
export { redisSettings } from './redis-settings.js';
export { parseRedisUrl, type RedisAddress } from './redis-url.js';
export { booleanText, databaseUrlText, integerText, listText, urlText } from './schemas.js';
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
