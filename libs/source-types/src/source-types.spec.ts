import { describe, expect, it } from 'vitest';
import { AppError, type JsonObject, type JsonValue } from '#libs/kernel';
import { checkSourceOptions, findSourceType, parseSourceOptions, secretNamesOf, sourceTypes } from './index.js';

const postgres = { host: 'db.example.com', database: 'sales', user: 'reader', password: 'hunter2' };
const duckdb = { tables: { flights: { parquet: '/data/flights.parquet' } } };

function faultsOf(typeName: string, options: JsonObject): { at: string; message: string }[] {
  const type = findSourceType(typeName);
  if (!type) throw new Error(`no type ${typeName}`);
  return checkSourceOptions(type, options).map(({ path, message }) => ({ at: path.join('.'), message }));
}

function placesOf(typeName: string, options: JsonObject): string[] {
  return faultsOf(typeName, options).map((fault) => fault.at);
}

describe('every type', () => {
  it.each(sourceTypes)('$name names its secrets, and refuses what it does not name', (type) => {
    expect(type.optionsSchema).toMatchObject({ type: 'object', additionalProperties: false });
    expect(placesOf(type.name, { service: 'x', 'a/b': 1 })).toEqual(
      expect.arrayContaining(['options.service', 'options.a/b']),
    );
  });

  it('keeps secrets at the root, where metadata looks for them', () => {
    expect(sourceTypes.map((type) => [type.name, secretNamesOf(type)])).toEqual([
      ['duckdb', []],
      ['postgres', ['password']],
    ]);
    for (const type of sourceTypes) {
      const marks = JSON.stringify(type.optionsSchema).match(/"writeOnly"/g) ?? [];
      expect(marks).toHaveLength(secretNamesOf(type).length);
    }
  });

  it('is not found by the name of something that every object has', () => {
    expect(findSourceType('constructor')).toBeUndefined();
    expect(placesOf('postgres', JSON.parse('{"__proto__": {"host": "h"}}') as JsonObject)).toContain('options.host');
  });
});

describe('the options of postgres', () => {
  it('are complete: port, search path, TLS wherever the wire leaves the machine', () => {
    expect(parseSourceOptions('postgres', postgres)).toEqual({
      ...postgres,
      port: 5432,
      schemas: ['public'],
      ssl: { mode: 'require' },
    });
    for (const host of ['localhost', '127.0.0.1', '::1']) {
      expect(parseSourceOptions('postgres', { ...postgres, host }).ssl).toEqual({ mode: 'disable' });
    }
  });

  it.each(['db', 'db_1.internal', 'a.b-c.example.com.', '10.0.0.7', '::1', '2001:db8::7', 'fe80::1'])(
    'take the host %s',
    (host) => {
      expect(faultsOf('postgres', { ...postgres, host })).toEqual([]);
    },
  );

  it.each([
    '/var/run/postgresql',
    '@abstract',
    'a,b',
    'a b',
    'a:5433',
    'host=evil',
    'postgres://evil',
    '-a',
    '..',
    'a..b',
    'a/b',
    'a?options=-c',
    'ä',
    'a\u0000',
    '',
    'a'.repeat(254),
  ])('refuse the host %j, which a driver would take for something else', (host) => {
    const [fault, ...others] = faultsOf('postgres', { ...postgres, host });
    expect(fault?.at).toBe('options.host');
    expect(fault?.message).toMatch(/^host /);
    expect(others.every((other) => other.at === 'options.host')).toBe(true);
  });

  it.each([
    'options',
    'sslkey',
    'sslcert',
    'service',
    'passfile',
    'hostaddr',
    'target_session_attrs',
    'connectionString',
  ])('refuse the driver option %s by name', (name) => {
    expect(faultsOf('postgres', { ...postgres, [name]: 'x' })).toEqual([
      { at: `options.${name}`, message: `${name} is not an option of this type of data source.` },
    ]);
  });

  const wrong: [string, JsonObject, string][] = [
    ['no host', { database: 'd', user: 'u' }, 'options.host'],
    ['a port of text', { ...postgres, port: '5432' }, 'options.port'],
    ['port 0', { ...postgres, port: 0 }, 'options.port'],
    ['port 65536', { ...postgres, port: 65_536 }, 'options.port'],
    ['a fraction of a port', { ...postgres, port: 1.5 }, 'options.port'],
    ['a database that is a connection string', { ...postgres, database: 'postgres://h/d' }, 'options.database'],
    ['a database with options', { ...postgres, database: 'd options=-csearch_path' }, 'options.database'],
    ['an empty password', { ...postgres, password: '' }, 'options.password'],
    ['a password that is no text', { ...postgres, password: 7 }, 'options.password'],
    ['an unknown TLS mode', { ...postgres, ssl: { mode: 'prefer' } }, 'options.ssl.mode'],
    ['TLS without a mode', { ...postgres, ssl: {} }, 'options.ssl.mode'],
    ['TLS with a key file', { ...postgres, ssl: { mode: 'require', key: '/k' } }, 'options.ssl.key'],
    ['a path as CA', { ...postgres, ssl: { mode: 'verify-full', ca: '/etc/ca.pem' } }, 'options.ssl.ca'],
    ['no schema', { ...postgres, schemas: [] }, 'options.schemas'],
    ['a schema twice', { ...postgres, schemas: ['a', 'a'] }, 'options.schemas'],
    ['a schema with a line feed', { ...postgres, schemas: ['a\nb'] }, 'options.schemas.0'],
    ['null', { ...postgres, user: null }, 'options.user'],
  ];
  it.each(wrong)('refuse %s where it stands', (_what, options, place) => {
    expect(placesOf('postgres', options)).toEqual([place]);
  });

  it('name all faults at once, and never repeat a value', () => {
    const faults = faultsOf('postgres', { host: 'secret/host', port: 0, password: 'x\u0000secret', secretName: 1 });
    expect(faults.map((fault) => fault.at).toSorted()).toEqual(
      ['database', 'host', 'password', 'port', 'secretName', 'user'].map((name) => `options.${name}`),
    );
    expect(JSON.stringify(faults.map((fault) => fault.message))).not.toMatch(/secret\/|x.*secret"/);
  });

  it('are bounded in size and in the number of faults', () => {
    expect(faultsOf('postgres', { ...postgres, password: 'x'.repeat(200_000) })).toEqual([
      { at: 'options', message: 'options must be at most 131072 bytes.' },
    ]);
    const many: JsonObject = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`o${index}`, 1]));
    expect(faultsOf('postgres', many)).toHaveLength(20);
  });

  it('leave what was given as it was', () => {
    const given = { ...postgres };
    parseSourceOptions('postgres', given);
    expect(given).toEqual(postgres);
  });
});

describe('the options of duckdb', () => {
  it('are files as tables, or a database', () => {
    expect(parseSourceOptions('duckdb', duckdb)).toEqual(duckdb);
    const database = { database: '/data/a b.duckdb', memoryLimitMb: 256, threads: 2 };
    expect(parseSourceOptions('duckdb', database)).toEqual(database);
  });

  it.each([
    'flights.parquet',
    './a.parquet',
    '/data/../etc/passwd',
    '/data/..',
    '/data/./a',
    '//host/share',
    '/data//a',
    '/data/',
    '/data/*.parquet',
    '/data/{a,b}',
    '/data/[ab]',
    '/data/a?',
    's3://bucket/a',
    'https://evil/a.parquet',
    'file:///etc/passwd',
    'C:\\a',
    '/data\\..\\a',
    '/a\u0000',
    '',
  ])('refuse the path %j', (parquet) => {
    expect(placesOf('duckdb', { tables: { t: { parquet } } })).toEqual(['options.tables.t.parquet']);
    expect(placesOf('duckdb', { database: parquet })).toEqual(['options.database']);
  });

  const file: JsonValue = { csv: '/a.csv' };
  const wrong: [string, JsonObject, string][] = [
    ['neither tables nor database', {}, 'options'],
    ['both', { ...duckdb, database: '/a.duckdb' }, 'options'],
    ['no table', { tables: {} }, 'options.tables'],
    ['a file that is parquet and csv', { tables: { t: { parquet: '/a', csv: '/a' } } }, 'options.tables.t'],
    ['a table without a file', { tables: { t: {} } }, 'options.tables.t'],
    ['a table whose name is SQL', { tables: { 't"; drop table x --': file } }, 'options.tables.t"; drop table x --'],
    ['an option of a file', { tables: { t: { csv: '/a', header: true } } }, 'options.tables.t.header'],
    ['too little memory', { ...duckdb, memoryLimitMb: 1 }, 'options.memoryLimitMb'],
    ['too many threads', { ...duckdb, threads: 65 }, 'options.threads'],
    ['a setting of DuckDB', { ...duckdb, enable_external_access: true }, 'options.enable_external_access'],
  ];
  it.each(wrong)('refuse %s where it stands', (_what, options, place) => {
    expect(placesOf('duckdb', options)).toEqual([place]);
  });

  it('say in words what is to be chosen', () => {
    expect(faultsOf('duckdb', {})[0]?.message).toBe('options must have exactly one of tables, database.');
  });

  it('are thrown with all their faults where they are parsed', () => {
    const parse = () => parseSourceOptions('duckdb', { threads: 0, memoryLimitMb: 0 });
    expect(parse).toThrowError(AppError);
    expect(parse).toThrowError(expect.objectContaining({ issues: expect.objectContaining({ length: 3 }) }));
  });
});
