import { z } from 'zod';

/** One setting: a variable of the environment, how it is read, and what it is for. */
export interface Setting<T> {
  readonly kind: 'setting';
  /** Such as SLUICE_AUTH_ACCESS_TOKEN_TTL_SECONDS; `<variable>_FILE` names a file that holds the value instead. */
  readonly variable: string;
  /** Variables asked when the first is not set, nearest first. */
  readonly fallbacks: readonly string[];
  readonly schema: z.ZodType<T>;
  /** As it would stand in the environment. Undefined: the setting is required unless its schema takes undefined. */
  readonly default: string | undefined;
  readonly describe: string;
  /** Never printed; not even a part of it. */
  readonly secret: boolean;
  /** Whether a change holds at once, in what a service holds of its configuration already. */
  readonly live: boolean;
}

interface SettingOptions {
  describe: string;
  default?: string | number | boolean;
  fallbacks?: readonly string[];
  /** Only where each use reads it anew: what is read once at start cannot change. */
  live?: boolean;
}

export function setting<T>(variable: string, schema: z.ZodType<T>, options: SettingOptions): Setting<T> {
  return {
    kind: 'setting',
    variable,
    fallbacks: options.fallbacks ?? [],
    schema,
    default: options.default === undefined ? undefined : String(options.default),
    describe: options.describe,
    secret: false,
    live: options.live ?? false,
  };
}

/** A setting whose value is never printed. It has no default: without it the service does not start. */
export function secret<T>(
  variable: string,
  schema: z.ZodType<T>,
  options: Omit<SettingOptions, 'default'>,
): Setting<T> {
  return { ...setting(variable, schema, options), secret: true };
}

/** One of several groups of settings, named by a setting: the others are not read. */
export interface Choice<A extends Readonly<Record<string, ConfigDefinition>>> {
  readonly kind: 'choice';
  readonly by: Setting<keyof A & string>;
  readonly alternatives: A;
}

export function choice<A extends Readonly<Record<string, ConfigDefinition>>>(
  variable: string,
  alternatives: A,
  options: SettingOptions,
): Choice<A> {
  return { kind: 'choice', by: setting(variable, z.enum(Object.keys(alternatives)), options), alternatives };
}

type AnyChoice = Choice<Readonly<Record<string, ConfigDefinition>>>;
type Entry = Setting<unknown> | AnyChoice | ConfigDefinition;

/** Settings in named groups, as deep as is useful. */
export interface ConfigDefinition {
  readonly [name: string]: Entry;
}

/** The plain, read-only values of a definition; of a choice those of one alternative, with its name as `kind`. */
export type ConfigOf<D> =
  D extends Setting<infer T>
    ? T
    : D extends Choice<infer A>
      ? { [K in keyof A]: { readonly kind: K } & ConfigOf<A[K]> }[keyof A]
      : D extends object
        ? { readonly [K in keyof D]: ConfigOf<D[K]> }
        : never;

/** Keeps the literal type of a definition. */
export function defineConfig<D extends ConfigDefinition>(definition: D): D {
  return definition;
}

export function isSetting(entry: Entry): entry is Setting<unknown> {
  return entry['kind'] === 'setting';
}

export function isChoice(entry: Entry): entry is AnyChoice {
  return entry['kind'] === 'choice';
}

/** All settings of a definition, in its order, those of every alternative too. */
export function settingsOf(definition: ConfigDefinition): Setting<unknown>[] {
  return Object.values(definition).flatMap((entry) => {
    if (isSetting(entry)) return [entry];
    if (isChoice(entry)) return [entry.by, ...Object.values(entry.alternatives).flatMap(settingsOf)];
    return settingsOf(entry);
  });
}
