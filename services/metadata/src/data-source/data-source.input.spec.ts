import { describe, expect, it } from 'vitest';
import { AppError, type JsonObject } from '#libs/kernel';
import { findSourceType } from '#libs/source-types';
import { changeOptions, parseDataSourceChange, parseNewDataSource } from './data-source.input.js';

const options = { host: 'db', database: 'd', user: 'u', password: 'p' };
const input = { name: 'Sales', type: 'postgres', options };

function faultsOf(work: () => unknown): string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error.issues.map((issue) => issue.path.join('.'));
    throw error;
  }
  return [];
}

function change(current: { options: JsonObject; secretNames: string[] }, given: JsonObject) {
  const type = findSourceType('postgres');
  if (!type) throw new Error('no postgres');
  return changeOptions(type, current, given);
}

describe('kept secrets', () => {
  const current = { options: { host: 'db', database: 'd', user: 'u' }, secretNames: ['password'] };

  it.each<JsonObject>([{ host: 'evil.example' }, { port: 5433 }, { ssl: { mode: 'disable' } }])(
    'are not sent where %j leads: they are to be given again, or removed',
    (moved) => {
      expect(faultsOf(() => change(current, moved))).toEqual(['options.password']);
      expect(change(current, { ...moved, password: 'new' }).secrets).toEqual({ password: 'new' });
      expect(change(current, { ...moved, password: null })).toMatchObject({ secrets: {}, keptSecrets: [] });
    },
  );

  it('stay where the destination does, also where it is named again', () => {
    expect(change(current, { host: 'db', schemas: ['a'], user: 'v' }).keptSecrets).toEqual(['password']);
    expect(change({ ...current, secretNames: [] }, { host: 'other' }).options).toMatchObject({ host: 'other' });
  });
});

describe('a new data source', () => {
  it('keeps secrets apart from options', () => {
    const { options: kept, secrets } = parseNewDataSource(input);
    expect(kept).toEqual({ host: 'db', database: 'd', user: 'u' });
    expect(secrets).toEqual({ password: 'p' });
  });

  it('runs 4 executions at once where nothing else is said', () => {
    expect(parseNewDataSource(input).maxConcurrentExecutions).toBe(4);
    for (const [limit, faults] of [
      [1, 0],
      [1000, 0],
      [0, 1],
      [-1, 1],
      [1001, 1],
    ] as const) {
      expect(faultsOf(() => parseNewDataSource({ ...input, maxConcurrentExecutions: limit }))).toHaveLength(faults);
    }
  });

  it('takes null for an option that is not there', () => {
    expect(parseNewDataSource({ ...input, options: { ...options, ssl: null, password: null } })).toMatchObject({
      options: { host: 'db', database: 'd', user: 'u' },
      secrets: {},
    });
    expect(faultsOf(() => parseNewDataSource({ ...input, options: { ...options, host: null } }))).toEqual([
      'options.host',
    ]);
  });

  it('tells all that is wrong with it at once, each at its place', () => {
    const wrong = {
      name: ' ',
      type: 'postgres',
      options: { host: '/tmp', port: 'x', sslkey: 'k' },
      maxConcurrentExecutions: 0,
    };
    expect(faultsOf(() => parseNewDataSource(wrong)).toSorted()).toEqual(
      [
        'name',
        'maxConcurrentExecutions',
        ...['database', 'host', 'port', 'sslkey', 'user'].map((each) => `options.${each}`),
      ].toSorted(),
    );
  });

  it('names the types that there are where it asks for another', () => {
    expect(() => parseNewDataSource({ ...input, type: 'oracle' })).toThrowError(/duckdb, postgres/);
    expect(faultsOf(() => parseNewDataSource({ ...input, type: 'toString' }))).toEqual(['type']);
  });

  it('needs options', () => {
    expect(faultsOf(() => parseNewDataSource({ name: 'x', type: 'postgres' }))).toContain('options.host');
  });
});

describe('a change of a data source', () => {
  const none = { id: 'src_1', version: 1, cleared: [] as string[] };

  it('gives cleared fields their defaults, and refuses to clear what a source cannot be without', () => {
    const change = parseDataSourceChange({ ...none, cleared: ['maxConcurrentExecutions', 'paused'] });
    expect(change).toMatchObject({ maxConcurrentExecutions: 4, paused: false });
    expect(faultsOf(() => parseDataSourceChange({ ...none, cleared: ['name', 'options'] }))).toEqual([
      'name',
      'options',
    ]);
  });

  it('asks for a key only where a secret is among the options', () => {
    expect(parseDataSourceChange(none).touchesSecrets).toBe(false);
    expect(parseDataSourceChange({ ...none, options: { host: 'h' } }).touchesSecrets).toBe(false);
    expect(parseDataSourceChange({ ...none, options: { password: null } }).touchesSecrets).toBe(true);
  });
});

describe('changed options', () => {
  const current = { options: { host: 'db', database: 'd', user: 'u', port: 1 }, secretNames: ['password'] };

  it('replace what is given, lose what is null, and leave absent secrets as they are', () => {
    const withSchemas = { ...current, options: { ...current.options, schemas: ['a'] } };
    expect(change(withSchemas, { database: 'other', schemas: null })).toEqual({
      options: { host: 'db', database: 'other', user: 'u', port: 1 },
      secrets: {},
      keptSecrets: ['password'],
    });
  });

  it('replace a secret that is given, and lose one that is null', () => {
    expect(change(current, { password: 'new' })).toMatchObject({ secrets: { password: 'new' }, keptSecrets: [] });
    expect(change(current, { password: null })).toMatchObject({ secrets: {}, keptSecrets: [] });
    expect(change(current, {}).options).not.toHaveProperty('password');
  });

  it('are checked as a whole', () => {
    expect(faultsOf(() => change(current, { host: null, port: 0, extra: true })).toSorted()).toEqual([
      'options.extra',
      'options.host',
      'options.port',
    ]);
  });
});
