import { ConfigError, loadConfig, type Environment } from './load-config.js';
import { settingsOf, type ConfigDefinition, type Setting } from './setting.js';

export interface EffectiveSetting {
  readonly variable: string;
  /** As it would stand in the environment; of a secret only that it is there. */
  readonly value: string;
  /** The variable that said so, or `default`. */
  readonly from: string;
}

/** What a definition comes to, setting by setting, also where some are missing or wrong. */
export function effectiveSettings(definition: ConfigDefinition, env: Environment): EffectiveSetting[] {
  return settingsOf(definition).map((setting) => effective(setting, env));
}

/** All that is wrong; nothing where the definition loads. */
export function faultsOf(definition: ConfigDefinition, env: Environment): readonly string[] {
  try {
    loadConfig(definition, env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

function effective(setting: Setting<unknown>, env: Environment): EffectiveSetting {
  const { variable, fallbacks, secret } = setting;
  for (const name of [variable, ...fallbacks]) {
    const given = env[name];
    if (given) return { variable, value: secret ? '(secret)' : withoutPassword(given), from: name };
    const file = env[`${name}_FILE`];
    if (file) return { variable, value: secret ? '(secret)' : `(in ${file})`, from: `${name}_FILE` };
  }
  return { variable, value: setting.default ?? '(not set)', from: 'default' };
}

/** Addresses that are no secrets may carry one: redis://user:password@host. */
function withoutPassword(text: string): string {
  return text.replace(/(:\/\/[^/@\s:]*:)[^@\s]+@/g, '$1***@');
}
