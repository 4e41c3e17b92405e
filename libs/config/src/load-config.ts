import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { isChoice, isSetting, settingsOf, type ConfigDefinition, type ConfigOf, type Setting } from './setting.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Every fault of the configuration, a line each. Values are not in it: any of them may be a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly faults: readonly string[]) {
    const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
    super(`The configuration has ${count}:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
  }
}

/** What a change of the configuration came to, by the names of the settings. */
export interface ConfigChange {
  readonly changed: readonly string[];
  /** Those that hold with the next start. */
  readonly needRestart: readonly string[];
}

/** A configuration whose live settings change in place. */
export interface LiveConfig<D extends ConfigDefinition> {
  readonly config: ConfigOf<D>;
  /** @throws ConfigError with all faults at once; then nothing has changed */
  readonly reload: (env: Environment) => ConfigChange;
}

/**
 * Reads a definition from the environment, once, and freezes what it read.
 * @throws ConfigError with all faults at once
 */
export function loadConfig<D extends ConfigDefinition>(definition: D, env: Environment = process.env): ConfigOf<D> {
  return loadLiveConfig(definition, env).config;
}

/**
 * The same, where live settings can be read anew: they are there as getters, so who holds a group of the configuration
 * sees them change.
 */
export function loadLiveConfig<D extends ConfigDefinition>(definition: D, env: Environment): LiveConfig<D> {
  const loaded = loadAll(definition, env);
  return {
    // loadGroup walks the definition that ConfigOf is derived from.
    config: loaded.config as ConfigOf<D>,
    reload(changed) {
      const fresh = loadAll(definition, changed).values;
      const differing = settingsOf(definition).filter(
        ({ variable }) => !isDeepStrictEqual(fresh.get(variable), loaded.values.get(variable)),
      );
      const live = differing.filter((entry) => entry.live);
      for (const { variable } of live) loaded.values.set(variable, fresh.get(variable));
      return {
        changed: live.map(({ variable }) => variable),
        needRestart: differing.filter((entry) => !entry.live).map(({ variable }) => variable),
      };
    },
  };
}

/** The environment of this process with some variables in the place of its own; undefined takes one out. */
export function environmentWith(replacements: Environment): Environment {
  return { ...process.env, ...replacements };
}

interface Loading {
  readonly env: Environment;
  readonly faults: string[];
  readonly values: Map<string, unknown>;
}

function loadAll(definition: ConfigDefinition, env: Environment) {
  const loading: Loading = { env, faults: [], values: new Map() };
  const config = loadGroup(definition, loading);
  if (loading.faults.length > 0) throw new ConfigError(loading.faults);
  return { config, values: loading.values };
}

function loadGroup(group: ConfigDefinition, loading: Loading): Readonly<Record<string, unknown>> {
  const values = {};
  for (const [name, entry] of Object.entries(group)) {
    const value = loadEntry(entry, loading);
    const isLive = isSetting(entry) && entry.live;
    const property = isLive ? { get: () => loading.values.get(entry.variable) } : { value };
    Object.defineProperty(values, name, { ...property, enumerable: true });
  }
  return Object.freeze(values);
}

function loadEntry(entry: ConfigDefinition[string], loading: Loading): unknown {
  if (isSetting(entry)) {
    const value = loadSetting(entry, loading.env, loading.faults);
    loading.values.set(entry.variable, value);
    return value;
  }
  if (!isChoice(entry)) return loadGroup(entry, loading);
  const kind = loadEntry(entry.by, loading);
  const chosen = typeof kind === 'string' ? entry.alternatives[kind] : undefined;
  return chosen && Object.freeze({ kind, ...loadGroup(chosen, loading) });
}

function loadSetting(entry: Setting<unknown>, env: Environment, faults: string[]): unknown {
  const raw = readRaw(entry, env, faults);
  if (raw === unreadable) return undefined;
  const parsed = entry.schema.safeParse(raw ?? entry.default);
  if (parsed.success) return parsed.data;
  faults.push(
    raw === undefined && entry.default === undefined
      ? `${entry.variable} is missing: ${entry.describe}`
      : `${entry.variable} is wrong: ${reasonsOf(parsed.error, entry.secret)}. ${entry.describe}`,
  );
  return undefined;
}

const unreadable = Symbol('unreadable');

function readRaw(entry: Setting<unknown>, env: Environment, faults: string[]): string | undefined | typeof unreadable {
  for (const variable of [entry.variable, ...entry.fallbacks]) {
    const value = env[variable];
    const file = env[`${variable}_FILE`];
    if (value && file) {
      faults.push(`${variable} and ${variable}_FILE are both set: keep one`);
      return unreadable;
    }
    if (value) return value;
    if (file) return readSecretFile(variable, file, faults);
  }
  return undefined;
}

function readSecretFile(variable: string, file: string, faults: string[]): string | typeof unreadable {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    faults.push(`${variable}_FILE cannot be read (${code}): ${file}`);
    return unreadable;
  }
}

function reasonsOf(error: z.ZodError, isSecret: boolean): string {
  // A schema's own message may quote the value.
  if (isSecret) return 'it does not have the form that is needed';
  return error.issues.map((issue) => issue.message).join('; ');
}
