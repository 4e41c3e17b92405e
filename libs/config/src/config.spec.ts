import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import {
  booleanText,
  choice,
  ConfigError,
  databaseSettings,
  defineConfig,
  integerText,
  listText,
  loadConfig,
  redisSettings,
  secret,
  serviceSettings,
  setting,
  settingsOf,
} from './index.js';

const definition = defineConfig({
  port: setting('SLUICE_TEST_PORT', integerText(1, 65_535), { default: 4000, describe: 'The port.' }),
  origins: setting('SLUICE_TEST_ORIGINS', listText, { default: '', describe: 'Who may embed.' }),
  verbose: setting('SLUICE_TEST_VERBOSE', booleanText, { default: false, describe: 'Say more.' }),
  inner: { key: secret('SLUICE_TEST_KEY', z.string().min(8), { describe: 'The signing key.' }) },
});

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(definition, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  throw new Error('it loaded');
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function fileOf(text: string): string {
  const file = join(mkdtempSync(join(folder, 'file-')), 'value');
  writeFileSync(file, text);
  return file;
}

describe('loadConfig', () => {
  it('gives typed values, defaults filled in, and lets nobody change them', () => {
    const config = loadConfig(definition, { SLUICE_TEST_KEY: '12345678', SLUICE_TEST_ORIGINS: 'a, b,' });
    expect(config).toEqual({ port: 4000, origins: ['a', 'b'], verbose: false, inner: { key: '12345678' } });
    expectTypeOf(config.port).toEqualTypeOf<number>();
    expectTypeOf(config.inner.key).toEqualTypeOf<string>();
    expect(Object.isFrozen(config.inner)).toBe(true);
  });

  it('lists all faults at once and says which setting is missing', () => {
    const faults = faultsOf({ SLUICE_TEST_PORT: 'eighty', SLUICE_TEST_VERBOSE: 'perhaps' });
    expect(faults).toHaveLength(3);
    expect(faults.join('\n')).toContain('SLUICE_TEST_KEY is missing: The signing key.');
  });

  it('never repeats the value of a secret', () => {
    expect(faultsOf({ SLUICE_TEST_KEY: 'hunter2' }).join()).not.toContain('hunter2');
  });

  it('reads any setting from a file, without the last line feed', () => {
    const config = loadConfig(definition, {
      SLUICE_TEST_KEY_FILE: fileOf('from-a-file\n'),
      SLUICE_TEST_PORT_FILE: fileOf('81'),
    });
    expect(config).toMatchObject({ port: 81, inner: { key: 'from-a-file' } });
  });

  it('refuses a variable that is set twice and a file that is not there', () => {
    const faults = faultsOf({
      SLUICE_TEST_KEY: '12345678',
      SLUICE_TEST_KEY_FILE: '/x',
      SLUICE_TEST_PORT_FILE: '/nowhere/at/all',
    });
    expect(faults.join('\n')).toMatch(/both set[^]*|cannot be read \(ENOENT\)/);
    expect(faults).toHaveLength(2);
  });

  it('takes an empty variable for one that is not set', () => {
    expect(loadConfig(definition, { SLUICE_TEST_KEY: '12345678', SLUICE_TEST_PORT: '' }).port).toBe(4000);
  });
});

describe('a choice', () => {
  const chosen = defineConfig({
    store: choice(
      'X_STORE',
      {
        directory: { path: setting('X_PATH', z.string(), { describe: 'A path to somewhere.' }) },
        bucket: {
          name: setting('X_NAME', z.string(), { describe: 'The name of it.' }),
          key: secret('X_KEY', z.string().min(4), { describe: 'The key of it.' }),
        },
      },
      { default: 'directory', describe: 'Which of the two.' },
    ),
  });

  it('reads the settings of the alternative that is named, and of no other', () => {
    expect(loadConfig(chosen, { X_PATH: '/a', X_KEY: 'bad' }).store).toEqual({ kind: 'directory', path: '/a' });
    const bucket = { kind: 'bucket', name: 'n', key: 'good' };
    expect(loadConfig(chosen, { X_STORE: 'bucket', X_NAME: 'n', X_KEY: 'good' }).store).toEqual(bucket);
  });

  it('tells every fault of the alternative, and an alternative that is not there', () => {
    expect(() => loadConfig(chosen, { X_STORE: 'bucket' })).toThrowError(/X_NAME is missing[^]*X_KEY is missing/);
    expect(() => loadConfig(chosen, { X_STORE: 'tape' })).toThrowError(/X_STORE is wrong/);
    expect(settingsOf(chosen).map(({ variable }) => variable)).toEqual(['X_STORE', 'X_PATH', 'X_NAME', 'X_KEY']);
  });
});

describe('the shared fragments', () => {
  const shared = defineConfig({
    service: serviceSettings('auth', { metricsPort: 4101 }),
    redis: redisSettings,
    database: databaseSettings('auth'),
  });

  it('ask for broker and database and for nothing else', () => {
    expect(() => loadConfig(shared, {})).toThrowError(
      /SLUICE_REDIS_BROKER_URL is missing[^]*SLUICE_AUTH_DATABASE_URL is missing/,
    );
  });

  it('let one Redis serve broker and session, with the cache role off', () => {
    const { redis } = loadConfig(shared, { SLUICE_REDIS_URL: 'redis://h', SLUICE_DATABASE_URL: 'postgres://h/d' });
    expect([redis.broker.url, redis.session.url, redis.cache.url]).toEqual(['redis://h', 'redis://h', undefined]);
  });

  it('describe every setting, and name each variable once', () => {
    const settings = settingsOf(shared);
    expect(settings.every((each) => each.describe.length > 10)).toBe(true);
    expect(new Set(settings.map((each) => each.variable)).size).toBe(settings.length);
  });
});
