import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError, type Environment } from './load-config.js';

const configFileVariable = 'SLUICE_CONFIG_FILE';
/** The form of the file. A form that is not understood is not guessed at. */
const versions = [1];

const variableName = /^SLUICE_[A-Z0-9_]+$/;
const value = z.union([z.string(), z.number(), z.boolean(), z.array(z.union([z.string(), z.number()]))]);
const form = z.strictObject({ version: z.number(), settings: z.record(z.string(), value).default({}) });

/**
 * The environment of this process with the settings of the file that SLUICE_CONFIG_FILE names, if it names one, where the
 * environment itself says nothing.
 * @throws ConfigError where the file cannot be read or is none
 */
export async function configuredEnvironment(env: Environment = process.env): Promise<Environment> {
  const path = configFilePath(env);
  return path ? merged(await readConfigFile(path), env) : env;
}

/** The file with settings, where there is one. */
export function configFilePath(env: Environment = process.env): string | undefined {
  return env[configFileVariable] || undefined;
}

/** The settings of a file, as they would stand in the environment. */
export async function readConfigFile(path: string): Promise<Environment> {
  const text = readText(path);
  // Loaded only where there is a file: most installations have none.
  const { LineCounter, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [broken] = document.errors;
  if (broken)
    throw fault(`${path}:${lines.linePos(broken.pos[0]).line}`, `is no YAML: ${broken.message}`, 'Mend that line.');
  const parsed = form.safeParse(document.toJS());
  if (!parsed.success) {
    const example =
      'A file is such as: version: 1, and below settings: a line for each, such as SLUICE_LOG_LEVEL: warn.';
    throw fault(path, `does not have the form of settings: ${parsed.error.issues.map(described).join('; ')}`, example);
  }
  const { version, settings } = parsed.data;
  if (!versions.includes(version)) {
    throw fault(
      path,
      `has version ${version}`,
      `This release reads version ${versions.join(', ')}: see docs/upgrading.md.`,
    );
  }
  const strange = Object.keys(settings).filter((name) => !variableName.test(name));
  if (strange.length > 0) throw fault(path, `has ${strange.join(', ')}`, 'Settings are named as in docs/settings.md.');
  return Object.fromEntries(Object.entries(settings).map(([name, given]) => [name, asText(given)]));
}

/** What the environment says wins, in either of its two ways. */
function merged(file: Environment, env: Environment): Environment {
  const isSaid = (name: string): boolean => Boolean(env[name]) || Boolean(env[otherWay(name)]);
  return { ...env, ...Object.fromEntries(Object.entries(file).filter(([name]) => !isSaid(name))) };
}

function otherWay(name: string): string {
  return name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : `${name}_FILE`;
}

function asText(given: z.infer<typeof value>): string {
  return Array.isArray(given) ? given.join(',') : String(given);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw fault(path, `cannot be read (${code})`, `${configFileVariable} names it.`);
  }
}

function described({ path, message }: { path: PropertyKey[]; message: string }): string {
  return path.length === 0 ? message : `${path.join('.')}: ${message}`;
}

/** What is wrong, where, and what to do. */
function fault(where: string, what: string, remedy: string): ConfigError {
  return new ConfigError([`${where} ${what}. ${remedy}`]);
}
