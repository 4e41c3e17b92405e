import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { isChoice, isSetting, type ConfigDefinition, type ConfigOf, type Setting } from './setting.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Every fault of the configuration, a line each. Values are not in it: any of them may be a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly faults: readonly string[]) {
    super(`The configuration has ${faults.length} fault(s):\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
  }
}

/**
 * Reads a definition from the environment, once, and freezes what it read.
 * @throws ConfigError with all faults at once
 */
export function loadConfig<D extends ConfigDefinition>(definition: D, env: Environment = process.env): ConfigOf<D> {
  const faults: string[] = [];
  const config = loadGroup(definition, env, faults);
  if (faults.length > 0) throw new ConfigError(faults);
  // loadGroup walks the definition that ConfigOf is derived from.
  return config as ConfigOf<D>;
}

/** The environment of this process with some variables in the place of its own; undefined takes one out. */
export function environmentWith(replacements: Environment): Environment {
  return { ...process.env, ...replacements };
}

function loadGroup(group: ConfigDefinition, env: Environment, faults: string[]): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const [name, entry] of Object.entries(group)) {
    values[name] = loadEntry(entry, env, faults);
  }
  return Object.freeze(values);
}

function loadEntry(entry: ConfigDefinition[string], env: Environment, faults: string[]): unknown {
  if (isSetting(entry)) return loadSetting(entry, env, faults);
  if (!isChoice(entry)) return loadGroup(entry, env, faults);
  const kind = loadSetting(entry.by, env, faults);
  const chosen = typeof kind === 'string' ? entry.alternatives[kind] : undefined;
  return chosen && Object.freeze({ kind, ...loadGroup(chosen, env, faults) });
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
