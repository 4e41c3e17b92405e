import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataSource as Database } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  authRequests,
  dataSourceChanged,
  envelopeCodec,
  workerRequests,
  type DataSource,
  type DataSourceChanged,
  type SourceConnection,
  type Table,
} from '#libs/contracts';
import { OutboxStore } from '#libs/database';
import { openSecrets } from '#libs/encryption';
import { AppError, newId, type JsonObject } from '#libs/kernel';
import type { Permission } from '#libs/identity';
import type { RedisConnections } from '#libs/redis';
import { startPostgres, startRedis, until, type PostgresServer, type RedisServer } from '#libs/testing';
import { connectRedis, FakeBus, masterKeys, metadataRoot } from '../test/metadata-harness.js';
import type { Caller } from './caller.js';
import { DataSourceService } from './data-source/data-source.service.js';
import { RunnableService } from './runnable/runnable.service.js';
import { SavedQueryService } from './saved-query/saved-query.service.js';
import { SchemaRefreshService } from './source-schema/schema-refresh.service.js';
import { SourceSchemaService } from './source-schema/source-schema.service.js';

let server: PostgresServer;
let redisServer: RedisServer;
let redis: RedisConnections;
let app: INestApplicationContext;
let bus: FakeBus;
let sources: DataSourceService;
let queries: SavedQueryService;
let schemas: SourceSchemaService;
let runnables: RunnableService;
let database: Database;

beforeAll(async () => {
  [server, redisServer] = await Promise.all([startPostgres(), startRedis()]);
  redis = connectRedis(redisServer.url);
  await redis.ready('broker', 5_000);
  bus = new FakeBus();
  const root = metadataRoot(await server.createDatabase(), bus, redis);
  app = await NestFactory.createApplicationContext(root, { logger: false });
  sources = app.get(DataSourceService);
  queries = app.get(SavedQueryService);
  schemas = app.get(SourceSchemaService);
  runnables = app.get(RunnableService);
  database = app.get(Database);
});
afterAll(async () => {
  await app.get(SchemaRefreshService).idle();
  await app.close();
  await redis.close();
  await Promise.all([server.stop(), redisServer.stop()]);
});

const everything: readonly Permission[] = [
  'data_source.read',
  'data_source.manage',
  'query.run',
  'saved_query.read',
  'saved_query.run',
  'saved_query.manage',
];

function callerOf(workspaceId: string, permissions = everything): Caller {
  return {
    workspaceId,
    userId: newId('user'),
    requestId: newId('request'),
    permissions: new Set(permissions),
    remainingMs: () => 10_000,
  };
}

let caller: Caller;
let stranger: Caller;
beforeEach(async () => {
  await app.get(SchemaRefreshService).idle();
  caller = callerOf(newId('workspace'));
  stranger = callerOf(newId('workspace'));
  bus.asked.length = 0;
  bus.readSchema = async () => [];
  bus.testSource = async () => ({ latencyMs: 1, serverVersion: '18' });
});

const options = { host: '127.0.0.1', database: 'sales', user: 'reader', password: 'hunter2' };

function createSource(name = 'Sales', more: { options?: JsonObject; by?: Caller } = {}): Promise<DataSource> {
  return sources.create({ name, type: 'postgres', options: more.options ?? options }, more.by ?? caller);
}

function createQuery(dataSourceId: string, more: { name?: string; tags?: string[]; description?: string } = {}) {
  return queries.create({ name: 'Revenue', dataSourceId, sql: 'select 1', parameters: [], tags: [], ...more }, caller);
}

async function faultOf(work: Promise<unknown>): Promise<{ code: string; path: string; message: string }> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof AppError)) throw new Error('it was not refused as an AppError', { cause: error });
  return { code: error.code, path: error.path.join('.'), message: error.publicMessage };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return (await faultOf(work)).code;
}

async function connectionOf(id: string): Promise<SourceConnection> {
  const { source } = await runnables.resolve({ subject: { case: 'dataSourceId', value: id } }, caller);
  if (!source) throw new Error('no connection');
  return source;
}

function open(connection: SourceConnection): JsonObject {
  if (!connection.secrets) throw new Error('no secrets');
  return openSecrets(connection.secrets, masterKeys, `${connection.workspaceId}/${connection.id}`);
}

async function eventsOf(workspaceId: string): Promise<DataSourceChanged[]> {
  const rows = await database.query<{ envelope: Buffer }[]>('select envelope from metadata.outbox order by sequence');
  return rows
    .map((row) => envelopeCodec.decode(row.envelope))
    .filter((envelope) => envelope.workspaceId === workspaceId && envelope.type === dataSourceChanged.type)
    .map((envelope) => dataSourceChanged.codec.decode(envelope.payload));
}

describe('another workspace', () => {
  it('sees, changes, runs and lists nothing of this one, and learns no more than of what does not exist', async () => {
    const { id } = await createSource();
    const query = await createQuery(id);
    const noSource = await faultOf(sources.delete(newId('dataSource'), stranger));
    const noQuery = await faultOf(queries.delete(newId('savedQuery'), stranger));

    expect(await sources.get([id], stranger)).toEqual([]);
    expect(await queries.get([query.id], stranger)).toEqual([]);
    expect((await sources.list({ page: { first: 10 } }, stranger)).totalCount).toBe(0);
    expect((await queries.list({ page: { first: 10 }, tags: [] }, stranger)).totalCount).toBe(0);

    const page = { first: 10 };
    const ofSource = [
      () => sources.update({ id, version: 1, paused: true, cleared: [] }, stranger),
      () => sources.delete(id, stranger),
      () => schemas.test(id, stranger),
      () => schemas.refresh(id, stranger),
      () => schemas.list({ dataSourceId: id, page }, stranger),
    ];
    for (const refused of ofSource) expect(await faultOf(refused())).toEqual(noSource);
    const ofQuery = [
      () => queries.update({ id: query.id, version: 1, name: 'x', cleared: [] }, stranger),
      () => queries.delete(query.id, stranger),
    ];
    for (const refused of ofQuery) expect(await faultOf(refused())).toEqual(noQuery);
    expect(await codeOf(runnables.resolve({ subject: { case: 'dataSourceId', value: id } }, stranger))).toBe(
      'source.not_found',
    );
    expect(await codeOf(runnables.resolve({ subject: { case: 'savedQueryId', value: query.id } }, stranger))).toBe(
      'saved_query.not_found',
    );
    expect((await sources.get([id], caller))[0]).toMatchObject({ version: 1, paused: false });
  });

  it('cannot save a query on a source of this one, not even past the service', async () => {
    const { id } = await createSource();
    const refused = queries.create(
      { name: 'q', dataSourceId: id, sql: 'select 1', parameters: [], tags: [] },
      stranger,
    );
    expect(await faultOf(refused)).toMatchObject({ code: 'source.not_found', path: 'dataSourceId' });
    await expect(
      database.query(
        `insert into metadata.saved_query (id, workspace_id, data_source_id, name, name_key, search_key, sql, created_by_id, updated_by_id)
         values ('qry_x', $1, $2, 'q', 'q', 'q', 'select 1', 'u', 'u')`,
        [stranger.workspaceId, id],
      ),
    ).rejects.toThrow(/saved_query_data_source_fkey/);
  });

  it('may use the same names', async () => {
    await createSource('Sales');
    await expect(createSource('Sales', { by: stranger })).resolves.toMatchObject({ name: 'Sales' });
  });

  it('cannot go on with a cursor of this one', async () => {
    await createSource('a');
    await createSource('b');
    const { cursors } = await sources.list({ page: { first: 1 } }, caller);
    const next = sources.list({ page: { first: 1, after: cursors[0] } }, stranger);
    expect(await faultOf(next)).toMatchObject({ code: 'input.cursor_invalid', path: 'after' });
  });
});

describe('secrets', () => {
  it('never leave: not in an answer, not in a column, not in an event', async () => {
    const created = await createSource();
    const updated = await sources.update(
      { id: created.id, version: 1, options: { password: 'hunter3' }, cleared: [] },
      caller,
    );
    const read = await sources.get([created.id], caller);
    const listed = await sources.list({ page: { first: 10 } }, caller);
    for (const answer of [created, updated, ...read, ...listed.dataSources]) {
      expect(answer.options).toEqual({ host: '127.0.0.1', database: 'sales', user: 'reader' });
    }
    expect(JSON.stringify([created, updated, read, listed])).not.toMatch(/hunter|ciphertext|wrapped/);
    const stored = await database.query<{ row: string }[]>(
      `select convert_from(decode(encode(convert_to(s::text, 'UTF8'), 'hex'), 'hex'), 'UTF8') as row
         from metadata.data_source s where id = $1`,
      [created.id],
    );
    const plain = Buffer.from('hunter').toString('hex');
    expect(JSON.stringify(stored)).not.toMatch(new RegExp(`hunter|${plain}`));
    expect(JSON.stringify(await eventsOf(caller.workspaceId))).not.toContain('hunter');
  });

  it('stay where an update does not name them, change where it does, and go where it says null', async () => {
    const { id } = await createSource();
    const update = (version: number, given: JsonObject) =>
      sources.update({ id, version, options: given, cleared: [] }, caller);
    await update(1, { schemas: ['other'] });
    expect(open(await connectionOf(id))).toEqual({ password: 'hunter2' });
    expect((await connectionOf(id)).options).toMatchObject({ schemas: ['other'] });
    await update(2, { password: 'new' });
    expect(open(await connectionOf(id))).toEqual({ password: 'new' });
    await update(3, { password: null });
    expect((await connectionOf(id)).secrets).toBeUndefined();
  });

  it('do not open for another source, another workspace, or when a bit has changed', async () => {
    const [first, second] = [await createSource('one'), await createSource('two')];
    await database.query(
      `update metadata.data_source a set ciphertext = b.ciphertext, wrapped_key = b.wrapped_key
         from metadata.data_source b where a.id = $1 and b.id = $2`,
      [first.id, second.id],
    );
    const swapped = await connectionOf(first.id);
    expect(() => open(swapped)).toThrowError(expect.objectContaining({ code: 'secret.unreadable' }));
    const intact = await connectionOf(second.id);
    expect(open(intact)).toEqual({ password: 'hunter2' });
    expect(() => open({ ...intact, workspaceId: stranger.workspaceId })).toThrowError(
      expect.objectContaining({ code: 'secret.unreadable' }),
    );
    for (const place of [0, 12, -1]) {
      const secrets = intact.secrets;
      const ciphertext = Buffer.from(secrets?.ciphertext ?? []);
      const at = place < 0 ? ciphertext.length + place : place;
      ciphertext.writeUInt8(ciphertext.readUInt8(at) ^ 1, at);
      const tampered = { ...intact, secrets: secrets && { ...secrets, ciphertext } };
      expect(() => open(tampered)).toThrowError(expect.objectContaining({ code: 'secret.unreadable' }));
    }
  });

  it('are mended by giving them anew, where they cannot be read any more', async () => {
    const { id } = await createSource();
    await database.query(`update metadata.data_source set ciphertext = 'x' where id = $1`, [id]);
    await sources.update({ id, version: 1, options: { password: 'again' }, cleared: [] }, caller);
    expect(open(await connectionOf(id))).toEqual({ password: 'again' });
  });

  it('need the key of their workspace once, and none where there are no secrets', async () => {
    const { password: _password, ...open } = options;
    await createSource('without', { options: open });
    expect(bus.count(authRequests.getDataKey)).toBe(0);
    await Promise.all([createSource('a'), createSource('b'), createSource('c')]);
    expect(bus.count(authRequests.getDataKey)).toBe(1);
  });
});

describe('options', () => {
  it('are shown to those who may manage the source, and not to those who may only read it', async () => {
    const { id } = await createSource();
    const reader = callerOf(caller.workspaceId, ['data_source.read']);
    const [seen] = await sources.get([id], reader);
    expect(seen).toMatchObject({ id, name: 'Sales' });
    expect(seen).not.toHaveProperty('options');
    expect((await sources.list({ page: { first: 1 } }, reader)).dataSources[0]).not.toHaveProperty('options');
    expect(await sources.get([id], callerOf(caller.workspaceId, ['query.run']))).toEqual([]);
  });

  it('that are wrong are named, each one, and nothing is written', async () => {
    const error: unknown = await createSource('bad', { options: { host: '/tmp', service: 'x', port: 0 } }).catch(
      (reason: unknown) => reason,
    );
    expect(error instanceof AppError && error.issues.map((issue) => issue.path.join('.')).toSorted()).toEqual(
      ['database', 'host', 'port', 'service', 'user'].map((each) => `options.${each}`),
    );
    expect((await sources.list({ page: { first: 10 } }, caller)).totalCount).toBe(0);
    const { id } = await createSource();
    const update = sources.update({ id, version: 1, options: { host: null, port: 0 }, cleared: [] }, caller);
    expect(await codeOf(update)).toBe('input.invalid');
    expect((await connectionOf(id)).version).toBe(1);
  });
});

describe('a data source', () => {
  it('has a name of its own in its workspace, whatever the case', async () => {
    await createSource('Sales');
    expect(await faultOf(createSource('sALES'))).toMatchObject({ code: 'entity.name_taken', path: 'name' });
    const other = await createSource('Other');
    const renamed = sources.update({ id: other.id, version: 1, name: ' SALES ', cleared: [] }, caller);
    expect(await codeOf(renamed)).toBe('entity.name_taken');
  });

  it('is changed by one of many who read the same version, and the others are told', async () => {
    const { id } = await createSource();
    const updates = Array.from({ length: 8 }, (_, index) =>
      sources.update({ id, version: 1, maxConcurrentExecutions: index + 10, cleared: [] }, caller),
    );
    const outcomes = await Promise.allSettled(updates);
    const [won, ...others] = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    expect(others).toEqual([]);
    const codes = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' && outcome.reason instanceof AppError ? [outcome.reason.code] : [],
    );
    expect(codes).toEqual(Array.from({ length: 7 }, () => 'entity.conflict'));
    const { version, maxConcurrentExecutions } = won?.value ?? {};
    expect((await sources.get([id], caller))[0]).toMatchObject({ version, maxConcurrentExecutions });
    expect(version).toBe(2);
  });

  it('tells of each change in the order of its versions, and nothing of a change that failed', async () => {
    const { id } = await createSource();
    await sources.update({ id, version: 1, paused: true, maxConcurrentExecutions: 9, cleared: [] }, caller);
    await sources.update({ id, version: 1, paused: false, cleared: [] }, caller).catch(() => undefined);
    await sources.update({ id, version: 2, cleared: ['paused', 'maxConcurrentExecutions'] }, caller);
    await sources.delete(id, caller);
    const same = { workspaceId: caller.workspaceId, dataSourceId: id, type: 'postgres' };
    expect(await eventsOf(caller.workspaceId)).toEqual([
      { ...same, version: 1, maxConcurrentExecutions: 4, paused: false, deleted: false },
      { ...same, version: 2, maxConcurrentExecutions: 9, paused: true, deleted: false },
      { ...same, version: 3, maxConcurrentExecutions: 4, paused: false, deleted: false },
      { ...same, version: 4, maxConcurrentExecutions: 4, paused: false, deleted: true },
    ]);
    expect((await app.get(OutboxStore).backlog()).unpublished).toBeGreaterThan(3);
  });

  it('cannot be deleted while a saved query asks it, and is gone with its secrets afterwards', async () => {
    const { id } = await createSource();
    const query = await createQuery(id);
    expect(await faultOf(sources.delete(id, caller))).toMatchObject({ code: 'source.in_use', path: 'id' });
    await queries.delete(query.id, caller);
    await sources.delete(id, caller);
    expect(await codeOf(sources.delete(id, caller))).toBe('source.not_found');
    expect(await runnables.connections([id])).toEqual([]);
  });

  it('is found in pages, by name, each once', async () => {
    for (const name of ['delta', 'Alpha', 'charlie', 'Bravo', '100%']) await createSource(name);
    const names: string[] = [];
    let after: string | undefined;
    do {
      const { dataSources, pageInfo, totalCount } = await sources.list({ page: { first: 2, after } }, caller);
      names.push(...dataSources.map((each) => each.name));
      expect(totalCount).toBe(5);
      after = pageInfo?.hasNextPage ? pageInfo.endCursor : undefined;
    } while (after !== undefined);
    expect(names).toEqual(['100%', 'Alpha', 'Bravo', 'charlie', 'delta']);
    const found = await sources.list({ page: { first: 10 }, search: ' A' }, caller);
    expect(found.dataSources.map((each) => each.name)).toEqual(['Alpha', 'Bravo', 'charlie', 'delta']);
    expect((await sources.list({ page: { first: 10 }, search: '%' }, caller)).totalCount).toBe(1);
  });
});

describe('the schema of a source', () => {
  const column = { name: 'id', type: 'INTEGER' as const, sourceType: 'int4', nullable: false };
  const tables = ['orders', 'Customers', 'items'].map((name) => ({ schema: 'public', name, columns: [column] }));

  it('is read behind the making of the source, and listed by name and by search', async () => {
    bus.readSchema = async () => tables;
    const { id } = await createSource();
    await until(async () => (await sources.get([id], caller))[0]?.schemaRefreshedAt);
    const first = await schemas.list({ dataSourceId: id, page: { first: 2 } }, caller);
    expect(first.tables).toEqual([tables[1], tables[2]]);
    expect(first.totalCount).toBe(3);
    const rest = await schemas.list({ dataSourceId: id, page: { first: 2, after: first.pageInfo?.endCursor } }, caller);
    expect(rest.tables).toEqual([tables[0]]);
    const found = await schemas.list({ dataSourceId: id, page: { first: 2 }, search: 'PUBLIC.o' }, caller);
    expect(found.tables).toEqual([tables[0]]);
    expect(bus.count(workerRequests.readSchema)).toBe(1);
  });

  it('does not keep a source from being made, and is asked for again by who wants to see it', async () => {
    bus.readSchema = () => Promise.reject(new AppError('source.credentials_wrong', 'The password is wrong.'));
    const { id } = await createSource();
    const list = () => schemas.list({ dataSourceId: id, page: { first: 2 } }, caller);
    expect(await codeOf(list())).toBe('source.credentials_wrong');
    expect(await codeOf(list())).toBe('source.credentials_wrong');
    expect(bus.count(workerRequests.readSchema)).toBe(1);
    bus.readSchema = async () => tables;
    expect((await schemas.refresh(id, caller)).schemaRefreshedAt).toBeInstanceOf(Date);
    expect((await list()).totalCount).toBe(3);
  });

  it('is read once for all who ask at the same time', async () => {
    const answers: ((tables: Table[]) => void)[] = [];
    bus.readSchema = () => new Promise((resolve) => answers.push(resolve));
    const { id } = await createSource();
    await until(() => answers.length === 1);
    const all = Promise.all([schemas.refresh(id, caller), schemas.refresh(id, caller)]);
    answers[0]?.(tables);
    await all;
    expect(bus.count(workerRequests.readSchema)).toBe(1);
  });

  it('is never that of the database which the source was before', async () => {
    const answers: (() => void)[] = [];
    bus.readSchema = (source) =>
      new Promise((resolve) =>
        answers.push(() =>
          resolve([{ schema: 'public', name: JSON.stringify(source.options?.['database']), columns: [column] }]),
        ),
      );
    const { id } = await createSource();
    await until(() => answers.length === 1);
    await sources.update({ id, version: 1, options: { database: 'new' }, cleared: [] }, caller);
    answers[0]?.();
    await until(() => answers.length === 2);
    answers[1]?.();
    await app.get(SchemaRefreshService).idle();
    const { tables: listed } = await schemas.list({ dataSourceId: id, page: { first: 9 } }, caller);
    expect(listed.map((table) => table.name)).toEqual(['"new"']);
  });

  it('replaces what was known, and is no change of the source', async () => {
    bus.readSchema = async () => tables;
    const { id } = await createSource();
    await schemas.refresh(id, caller);
    bus.readSchema = async () => Array.from({ length: 1_200 }, (_, index) => ({ name: `t${index}`, columns: [] }));
    const refreshed = await schemas.refresh(id, caller);
    expect(refreshed.version).toBe(1);
    expect((await schemas.list({ dataSourceId: id, page: { first: 1 } }, caller)).totalCount).toBe(1_200);
  });

  it('does not keep a caller beyond the time of the request', async () => {
    let answer: (tables: Table[]) => void = () => undefined;
    bus.readSchema = () => new Promise((resolve) => (answer = resolve));
    const { id } = await createSource();
    const hurried = { ...caller, remainingMs: () => 300 };
    expect(await faultOf(schemas.refresh(id, hurried))).toMatchObject({ code: 'source.unavailable' });
    answer(tables);
    await app.get(SchemaRefreshService).idle();
    expect((await schemas.list({ dataSourceId: id, page: { first: 1 } }, hurried)).totalCount).toBe(3);
  });
});

describe('the test of a source', () => {
  it('tells what the source answers, a wrong password too', async () => {
    const { id } = await createSource();
    expect(await schemas.test(id, caller)).toEqual({ latencyMs: 1, serverVersion: '18' });
    bus.testSource = () => Promise.reject(new AppError('source.credentials_wrong', 'The password is wrong.'));
    expect(await codeOf(schemas.test(id, caller))).toBe('source.credentials_wrong');
  });

  it('takes a silent worker for a source that cannot be reached, within 20 s and the time of the request', async () => {
    const { id } = await createSource();
    bus.testSource = () => Promise.reject(new AppError('bus.timeout', 'No answer.', { retryable: true }));
    expect(await codeOf(schemas.test(id, { ...caller, remainingMs: () => 60_000 }))).toBe('source.unavailable');
    await codeOf(schemas.test(id, { ...caller, remainingMs: () => 5_000 }));
    const asked = bus.asked.filter((each) => each.pattern === workerRequests.testSource.pattern);
    expect(asked.map((each) => each.ttlMs)).toEqual([20_000, 4_750]);
  });
});

describe('a saved query', () => {
  it('is made, read, changed and deleted', async () => {
    const { id: dataSourceId } = await createSource();
    const made = await createQuery(dataSourceId, { tags: ['B', 'a', 'b'], description: ' All of it ' });
    expect(made).toMatchObject({ name: 'Revenue', tags: ['b', 'a'], description: 'All of it', version: 1 });
    const changed = await queries.update(
      { id: made.id, version: 1, name: 'Income', tags: { values: ['c'] }, cleared: ['description'] },
      caller,
    );
    expect(changed).toMatchObject({ name: 'Income', tags: ['c'], sql: 'select 1', version: 2 });
    expect(changed).not.toHaveProperty('description');
    expect(changed.updatedAt?.getTime()).toBeGreaterThanOrEqual(made.updatedAt?.getTime() ?? Infinity);
    expect(await queries.get([made.id], caller)).toEqual([changed]);
    await queries.delete(made.id, caller);
    expect(await queries.get([made.id], caller)).toEqual([]);
  });

  it('is changed by one of many who read the same version', async () => {
    const { id: dataSourceId } = await createSource();
    const { id } = await createQuery(dataSourceId);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) =>
        queries.update({ id, version: 1, sql: `select ${index}`, cleared: [] }, caller),
      ),
    );
    const done = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    expect(done).toHaveLength(1);
    expect(await queries.get([id], caller)).toEqual([done[0]?.value]);
    expect(await faultOf(queries.update({ id, version: 1, name: 'x', cleared: [] }, caller))).toMatchObject({
      code: 'entity.conflict',
      path: 'version',
    });
  });

  it('hides its text from those who may not see what its source holds, and all of it from the others', async () => {
    const { id: dataSourceId } = await createSource();
    const query = await createQuery(dataSourceId);
    const [runner, viewer, author] = (
      [
        ['saved_query.run'],
        ['saved_query.read', 'saved_query.run'],
        ['saved_query.read', 'saved_query.manage'],
      ] as const
    ).map((permissions) => callerOf(caller.workspaceId, permissions));
    if (!runner || !viewer || !author) throw new Error('there are three');
    const hidden = { ...query, sql: '' };
    expect(await queries.get([query.id], runner)).toEqual([hidden]);
    expect(await queries.get([query.id], viewer)).toEqual([hidden]);
    expect((await queries.list({ page: { first: 10 }, tags: [] }, viewer)).savedQueries).toEqual([hidden]);
    expect(await queries.update({ id: query.id, version: 1, name: 'x', cleared: [] }, author)).toMatchObject({
      sql: '',
    });
    expect(await queries.get([query.id], callerOf(caller.workspaceId, ['query.run']))).toEqual([]);
  });

  it('is found by name, description and all of the tags, in pages without gap or repeat', async () => {
    const { id: dataSourceId } = await createSource();
    for (const name of ['b', 'a', 'a', 'C']) await createQuery(dataSourceId, { name, tags: ['x', name] });
    await createQuery(dataSourceId, { name: 'z', description: 'about Bananas' });
    const names: string[] = [];
    const ids = new Set<string>();
    let after: string | undefined;
    do {
      const { savedQueries, pageInfo } = await queries.list({ page: { first: 1, after }, tags: ['X'] }, caller);
      names.push(...savedQueries.map((each) => each.name));
      for (const each of savedQueries) ids.add(each.id);
      after = pageInfo?.hasNextPage ? pageInfo.endCursor : undefined;
    } while (after !== undefined);
    expect(names).toEqual(['a', 'a', 'b', 'C']);
    expect(ids.size).toBe(4);
    const count = async (search: string | undefined, tags: string[]): Promise<number> =>
      (await queries.list({ page: { first: 1 }, search, tags }, caller)).totalCount;
    expect(await count('banana', [])).toBe(1);
    expect(await count(undefined, ['x', 'c'])).toBe(1);
    expect(await count('a', ['x'])).toBe(2);
    expect(await count('_', [])).toBe(0);
  });

  it('is listed from the index of its workspace', async () => {
    const plan = await database.query<{ 'QUERY PLAN': string }[]>(
      `explain select * from metadata.saved_query where workspace_id = 'wsp_1' and (name_key, id) > ('a', 'b')
        order by name_key, id limit 11`,
    );
    expect(plan.map((line) => line['QUERY PLAN']).join('\n')).toMatch(/saved_query_name_idx/);
  });
});

describe('what is to be run', () => {
  it('comes with its connection, for who may run it, without a right to read the source', async () => {
    const { id } = await createSource();
    const query = await createQuery(id);
    const runner = callerOf(caller.workspaceId, ['saved_query.run']);
    const resolved = await runnables.resolve({ subject: { case: 'savedQueryId', value: query.id } }, runner);
    expect(resolved.savedQuery).toEqual(query);
    expect(resolved.source).toMatchObject({ id, workspaceId: caller.workspaceId, type: 'postgres', version: 1 });
    expect(resolved.source?.options).not.toHaveProperty('password');
    expect(await codeOf(runnables.resolve({ subject: { case: 'dataSourceId', value: id } }, runner))).toBe(
      'auth.forbidden',
    );
    const analyst = callerOf(caller.workspaceId, ['query.run']);
    expect(await codeOf(runnables.resolve({ subject: { case: 'savedQueryId', value: query.id } }, analyst))).toBe(
      'auth.forbidden',
    );
  });

  it('must be something', async () => {
    expect(await codeOf(runnables.resolve({ subject: { case: undefined } }, caller))).toBe('input.invalid');
  });

  it('when something is invalidated is told in pages without gap or repeat, of the chosen queries of one workspace', async () => {
    const { id } = await createSource();
    const made = [await createQuery(id), await createQuery(id), await createQuery(id), await createQuery(id)];
    const chosen = made.slice(1);
    for (const { id: chosenId, version } of chosen) {
      await queries.update({ id: chosenId, version, warmUp: true, cleared: [] }, caller);
    }
    const told: string[] = [];
    for (let afterId: string | undefined = ''; afterId !== undefined;) {
      const page = await runnables.warmUps({ workspaceId: caller.workspaceId, afterId, limit: 2 });
      told.push(...page.map(({ savedQueryId }) => savedQueryId));
      afterId = page.at(-1)?.savedQueryId;
    }
    expect(told).toEqual(chosen.map((query) => query.id).toSorted());
    expect(await runnables.warmUps({ workspaceId: stranger.workspaceId, afterId: '', limit: 2 })).toEqual([]);
  });

  it('is told to the orchestrator for sources of every workspace, at most 100 at once', async () => {
    const [mine, other] = [await createSource(), await createSource('x', { by: stranger })];
    const found = await runnables.connections([mine.id, other.id, newId('dataSource')]);
    expect(found.map((source) => source.id).toSorted()).toEqual([mine.id, other.id].toSorted());
    expect(await codeOf(runnables.connections(Array.from({ length: 101 }, () => 'x')))).toBe('input.too_large');
  });
});
