import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { authRequests, workerRequests, type metadataRequests, type RequestOf, type Table } from '#libs/contracts';
import { AppError, newId } from '#libs/kernel';
import type { RedisConnections } from '#libs/redis';
import { startPostgres, startRedis, type PostgresServer, type RedisServer } from '#libs/testing';
import { connectRedis, FakeBus, metadataRoot } from '../../test/metadata-harness.js';
import { GrantService } from '../access/grant.service.js';
import type { Caller } from '../caller.js';
import { DataSourceService } from '../data-source/data-source.service.js';
import { WorkspaceRevisions } from '../revision/workspace-revisions.repository.js';
import { RunnableService } from '../runnable/runnable.service.js';
import { SchemaRefreshService } from '../source-schema/schema-refresh.service.js';
import { SourceSchemaService } from '../source-schema/source-schema.service.js';
import { RowPolicyService } from './row-policy.service.js';
import { SourcePoliciesService } from './source-policies.service.js';

let server: PostgresServer;
let redisServer: RedisServer;
let redis: RedisConnections;
let app: INestApplicationContext;
let bus: FakeBus;
let policies: RowPolicyService;
let sourcePolicies: SourcePoliciesService;
let caller: Caller;
let dataSourceId: string;

beforeAll(async () => {
  [server, redisServer] = await Promise.all([startPostgres(), startRedis()]);
  redis = connectRedis(redisServer.url);
  await redis.ready('broker', 5_000);
  bus = new FakeBus();
  const root = metadataRoot(await server.createDatabase(), bus, redis);
  app = await NestFactory.createApplicationContext(root, { logger: false });
  policies = app.get(RowPolicyService);
  sourcePolicies = app.get(SourcePoliciesService);
});
afterAll(async () => {
  await app.get(SchemaRefreshService).idle();
  await app.close();
  await redis.close();
  await Promise.all([server.stop(), redisServer.stop()]);
});

const column = (name: string) => ({ name, type: 'TEXT' as const, sourceType: 'text', nullable: true });
const sales: Table = { schema: 'public', name: 'sales', columns: [column('region'), column('email')] };
const options = { host: '127.0.0.1', database: 'sales', user: 'reader' };

beforeEach(async () => {
  bus.readSchema = async () => [sales];
  bus.tryStatements = async () => ({});
  bus.asked.length = 0;
  caller = {
    workspaceId: newId('workspace'),
    userId: newId('user'),
    requestId: newId('request'),
    permissions: new Set(['data_source.manage', 'row_policy.manage', 'query.run'] as const),
    groups: [],
    remainingMs: () => 10_000,
  };
  dataSourceId = (await app.get(DataSourceService).create({ name: 'Sales', type: 'postgres', options }, caller)).id;
  await app.get(SchemaRefreshService).idle();
});

type Input = RequestOf<typeof metadataRequests.createRowPolicy>;

async function create(more: Partial<Input> = {}) {
  return (await save(more)).rowPolicy;
}

function save(more: Partial<Input> = {}) {
  const predicate = 'region = {{ user.region }}';
  return policies.create(
    {
      ...{ name: 'By region', dataSourceId, table: { name: 'sales' }, predicate },
      ...{ groupNames: [], exemptGroupNames: [], masks: [], enabled: true, ...more },
    },
    caller,
  );
}

async function faultOf(work: Promise<unknown>): Promise<{ code: string; path: string; message: string }> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof AppError)) throw new Error('it was not refused as an AppError', { cause: error });
  return { code: error.code, path: error.path.join('.'), message: error.publicMessage };
}

const resolve = () =>
  app.get(RunnableService).resolve({ subject: { case: 'dataSourceId', value: dataSourceId } }, caller);

describe('a row policy', () => {
  it.each([
    ['DISCOVER', 'auth.forbidden'],
    ['RUN', 'auth.forbidden'],
    ['EDIT', 'done'],
  ] as const)(
    'of a source with a grant of %s is read, and making, changing and deleting it is: %s',
    async (level, due) => {
      const { id } = await create();
      const grants = app.get(GrantService);
      const { workspaceId } = caller;
      await grants.setRestricted({ assetId: dataSourceId, restricted: true }, caller);
      const grant = { assetId: dataSourceId, grantee: { kind: 'GROUP', key: 'west' }, level } as const;
      await grants.create(grant, caller, { workspaceId, requestId: 'req_1', actor: { case: undefined } });
      caller = { ...caller, userId: newId('user'), groups: ['west'] };
      expect((await policies.get([id], caller)).map((policy) => policy.id)).toEqual([id]);
      const tries = [
        () => create({ name: 'Another' }),
        () => policies.update({ id, version: 1, name: 'Off', enabled: false, cleared: [] }, caller),
        () => policies.delete(id, caller),
      ];
      for (const attempt of tries) {
        expect(due === 'done' ? await attempt().then(() => 'done') : (await faultOf(attempt())).code).toBe(due);
      }
    },
  );

  it('is kept as it was made, and changed only by who has read it', async () => {
    const made = await create({ groupNames: ['sales '], exemptGroupNames: ['chiefs'], key: 'region' });
    expect(made).toMatchObject({ groupNames: ['sales'], exemptGroupNames: ['chiefs'], key: 'region', version: 1 });
    const change = { id: made.id, version: 1, name: 'Regions', cleared: ['key'] };
    const { rowPolicy: renamed } = await policies.update(change, caller);
    expect(renamed).toEqual({ ...made, key: undefined, name: 'Regions', version: 2 });
    expect(
      await faultOf(policies.update({ id: made.id, version: 1, name: 'Late', cleared: [] }, caller)),
    ).toMatchObject({
      code: 'entity.conflict',
      path: 'version',
    });
    const { rowPolicies, totalCount } = await policies.list({ page: { first: 10 }, dataSourceId }, caller);
    expect([rowPolicies, totalCount]).toEqual([[renamed], 1]);
    await policies.delete(made.id, caller);
    expect(await policies.get([made.id], caller)).toEqual([]);
  });

  it('is searched literally by its name, its key, its table and its predicate, and only among those that the caller sees', async () => {
    const named = await create({ name: 'A 100%_' });
    const keyed = await create({ name: 'B', key: 'K 100%_', table: { schema: 'public', name: 'sales' } });
    const read = await create({ name: 'C', predicate: `email = 'a 100%_ b'`, table: undefined });
    const find = async (search: string, by = caller) => {
      const { rowPolicies, totalCount } = await policies.list({ page: { first: 10 }, search }, by);
      expect(totalCount).toBe(rowPolicies.length);
      return rowPolicies.map(({ id }) => id);
    };
    expect(await find('100%_')).toEqual([named.id, keyed.id, read.id]);
    expect(await find('100__')).toEqual([]);
    expect(await find('k 100')).toEqual([keyed.id]);
    expect(await find('PUBLIC.sal')).toEqual([keyed.id]);
    expect(await find('user.region')).toEqual([named.id, keyed.id]);
    expect(await find('100%_', { ...caller, workspaceId: newId('workspace') })).toEqual([]);
    const first = await policies.list({ page: { first: 1 }, search: '100%_' }, caller);
    const next = { page: { first: 1, after: first.cursors[0] ?? '' }, search: '100' };
    expect((await faultOf(policies.list(next, caller))).code).toBe('input.cursor_invalid');
    await app.get(GrantService).setRestricted({ assetId: dataSourceId, restricted: true }, caller);
    expect(await find('100%_', { ...caller, userId: newId('user') })).toEqual([]);
  });

  it('is nobody’s outside of its workspace', async () => {
    const { id } = await create();
    const stranger = { ...caller, workspaceId: newId('workspace') };
    expect(await policies.get([id], stranger)).toEqual([]);
    expect((await policies.list({ page: { first: 10 } }, stranger)).totalCount).toBe(0);
    expect((await faultOf(policies.delete(id, stranger))).code).toBe('row_policy.not_found');
    const change = { id, version: 1, name: 'Mine', cleared: [] };
    expect((await faultOf(policies.update(change, stranger))).code).toBe('row_policy.not_found');
  });

  it('goes with its source', async () => {
    const { id } = await create();
    await app.get(DataSourceService).delete(dataSourceId, caller);
    expect(await policies.get([id], caller)).toEqual([]);
  });

  it('has the groups made that it names first, by auth', async () => {
    await create({ groupNames: ['sales'], exemptGroupNames: ['chiefs', 'sales'] });
    const asked = bus.asked.filter(({ pattern }) => pattern === authRequests.ensureGroups.pattern);
    expect(asked.map(({ input }) => input)).toEqual([{ workspaceId: caller.workspaceId, names: ['sales', 'chiefs'] }]);
  });

  it.each([
    ['a column that is not there', { predicate: 'regoin = 1' }, 'predicate', /regoin/],
    ['what is no expression', { predicate: 'region = ' }, 'predicate', /./],
    ['a second statement', { predicate: 'true); drop table sales; --' }, 'predicate', /./],
    ['a subquery', { predicate: 'region in (select region from sales)' }, 'predicate', /./],
    ['a value inside of quotes', { predicate: "region = '{{ user.region }}'" }, 'predicate', /quotes/],
    ['a table that is not there', { table: { name: 'nowhere' } }, 'table', /nowhere/],
    ['columns that no table has', { table: undefined, predicate: 'regoin = 1' }, 'predicate', /No known table/],
  ] as [string, Partial<Input>, string, RegExp][])(
    'is refused with the reason for %s, when made and when changed',
    async (_case, change, path, message) => {
      const refused = { code: 'sql.rejected', path, message: expect.stringMatching(message) as unknown };
      expect(await faultOf(create(change))).toEqual(refused);
      const { predicate } = change;
      if (predicate === undefined) return;
      const { id } = await create('table' in change ? { table: undefined } : {});
      expect(await faultOf(policies.update({ id, version: 1, predicate, cleared: [] }, caller))).toMatchObject({
        code: 'sql.rejected',
      });
    },
  );

  it.each([
    ['an empty name', { name: ' ' }, 'name'],
    ['an empty predicate', { predicate: ' ' }, 'predicate'],
    ['a group without a name', { groupNames: [''] }, 'groupNames.0'],
    ['two masks on a column', { masks: [mask('email'), mask('email')] }, 'masks.1.column'],
    ['a fixed mask without a value', { masks: [{ column: 'email', kind: 'FIXED' as const }] }, 'masks.0.value'],
    ['a hash with a value', { masks: [{ column: 'email', kind: 'HASH' as const, value: 'x' }] }, 'masks.0.value'],
    ['an id that is none', { dataSourceId: 'sales' }, 'dataSourceId'],
  ] as [string, Partial<Input>, string][])('is refused for %s, at its place', async (_case, change, path) => {
    expect((await faultOf(create(change))).path).toBe(path);
  });

  it('that no longer fits its table can still be turned off', async () => {
    const { id } = await create();
    bus.readSchema = async () => [{ ...sales, columns: [column('email')] }];
    await app.get(SourceSchemaService).refresh(dataSourceId, caller);
    const rename = { id, version: 1, name: 'Regions', cleared: [] };
    expect((await faultOf(policies.update(rename, caller))).code).toBe('sql.rejected');
    expect(await policies.update({ id, version: 1, enabled: false, cleared: [] }, caller)).toMatchObject({
      rowPolicy: { enabled: false },
    });
  });
});

describe('the trial of a row policy at its source', () => {
  const fixed = { column: 'email', kind: 'FIXED', value: 'x' } as const;

  it('is made of each part, with values that nobody knows as NULL, and its fault is the author’s, at the part', async () => {
    const asked: RequestOf<typeof workerRequests.tryStatements>[] = [];
    bus.tryStatements = async (input) => {
      asked.push(input);
      return { fault: { trial: 1, message: 'invalid input syntax' } };
    };
    const made = await faultOf(create({ masks: [mask('region'), fixed] }));
    expect(made).toEqual({ code: 'sql.rejected', path: 'masks.1.value', message: 'invalid input syntax' });
    expect(asked[0]).toMatchObject({
      source: { id: dataSourceId },
      submittedById: caller.userId,
      trials: [
        { values: [{ type: 'text' }], controlSql: 'select * from "public"."sales"', reach: { relations: [{}] } },
        { values: [{ type: 'text', value: 'x' }] },
      ],
    });
    expect((await policies.list({ page: { first: 10 } }, caller)).totalCount).toBe(0);
  });

  it('keeps what a change does not pass from being changed, and names the table where the policy does not', async () => {
    const { id } = await create({ table: undefined });
    bus.tryStatements = async () => ({ fault: { trial: 0, message: 'it is not boolean' } });
    const change = { id, version: 1, predicate: 'region', cleared: [] };
    expect(await faultOf(policies.update(change, caller))).toEqual({
      ...{ code: 'sql.rejected', path: 'predicate' },
      message: 'it is not boolean (table "public"."sales")',
    });
    expect((await policies.get([id], caller))[0]).toMatchObject({
      version: 1,
      predicate: 'region = {{ user.region }}',
    });
    bus.tryStatements = async () => ({});
    expect((await policies.update(change, caller)).rowPolicy.version).toBe(2);
  });

  it.each([
    ['has no worker', new AppError('bus.timeout', 'No answer.'), /did not answer in time/],
    ['is served by workers of the release before', new AppError('bus.unimplemented', 'Unknown.'), /did not answer/],
    ['cannot be reached', new AppError('source.unavailable', 'It refused the connection.'), /refused the connection/],
    ['does not answer in time', new AppError('run.timed_out', 'It was stopped.'), /was stopped/],
  ])('is told to have failed where the source %s, and the policy is saved', async (_how, error, reason) => {
    bus.tryStatements = () => Promise.reject(error);
    const { rowPolicy, untriedReason } = await save();
    expect(untriedReason).toMatch(reason);
    expect(untriedReason).toMatch(/The policy is saved/);
    const changed = await policies.update({ id: rowPolicy.id, version: 1, predicate: 'true', cleared: [] }, caller);
    expect(changed).toMatchObject({ rowPolicy: { version: 2 }, untriedReason });
  });

  it('takes seconds at most, and leaves half of the time to save the policy', async () => {
    const ttls = () => bus.asked.filter(({ pattern }) => pattern === workerRequests.tryStatements.pattern);
    await create();
    caller = { ...caller, remainingMs: () => 3_000 };
    await create();
    expect(ttls().map(({ ttlMs }) => ttlMs)).toEqual([4_000, 1_250]);
  });

  it('is not made for a policy that is turned off with what it was, nor at a paused source', async () => {
    const { id } = await create();
    await policies.update({ id, version: 1, name: 'Off', enabled: false, cleared: [] }, caller);
    expect(bus.count(workerRequests.tryStatements)).toBe(1);
    await app.get(DataSourceService).update({ id: dataSourceId, version: 1, paused: true, cleared: [] }, caller);
    expect((await save()).untriedReason).toMatch(/is paused/);
    expect(bus.count(workerRequests.tryStatements)).toBe(1);
  });

  it('is not made for those who may not change the source', async () => {
    await app.get(GrantService).setRestricted({ assetId: dataSourceId, restricted: true }, caller);
    caller = { ...caller, userId: newId('user') };
    expect((await faultOf(create())).code).toMatch(/forbidden|not_found/);
    expect(bus.count(workerRequests.tryStatements)).toBe(0);
  });
});

describe('what the orchestrator is told of policies', () => {
  it('is nothing for a source without an enabled one, and else changes with policies, tables and source', async () => {
    const seen = [(await resolve()).policiesFingerprint];
    const { id } = await create();
    seen.push((await resolve()).policiesFingerprint);
    await policies.update({ id, version: 1, predicate: 'true', cleared: [] }, caller);
    seen.push((await resolve()).policiesFingerprint);
    await app.get(SourceSchemaService).refresh(dataSourceId, caller);
    seen.push((await resolve()).policiesFingerprint);
    expect(seen[0]).toBeUndefined();
    expect(new Set(seen).size).toBe(4);
    await policies.update({ id, version: 2, enabled: false, cleared: [] }, caller);
    expect((await resolve()).policiesFingerprint).toBeUndefined();
  });

  it('raises the revision that others keep their answers by', async () => {
    const revisions = app.get(WorkspaceRevisions);
    const seen = [await revisions.now(caller.workspaceId)];
    const { id } = await create();
    seen.push(await revisions.now(caller.workspaceId));
    await policies.update({ id, version: 1, predicate: 'true', cleared: [] }, caller);
    seen.push(await revisions.now(caller.workspaceId));
    await policies.delete(id, caller);
    seen.push(await revisions.now(caller.workspaceId));
    await app.get(SourceSchemaService).refresh(dataSourceId, caller);
    seen.push(await revisions.now(caller.workspaceId));
    expect(seen).toEqual([...new Set(seen)].toSorted((left, right) => left - right));
  });

  it('is the enabled policies, the tables and where names are looked up', async () => {
    const made = await create({ masks: [mask('email')] });
    await create({ name: 'Off', enabled: false });
    const told = await sourcePolicies.get(caller.workspaceId, dataSourceId);
    expect(told.fingerprint).toMatch(/^[\w-]{43}$/);
    expect(told).toEqual({
      fingerprint: told.fingerprint,
      rowPolicies: [made],
      tables: [
        { schema: 'public', name: 'sales', columns: ['region', 'email'].map((name) => ({ name, sourceType: 'text' })) },
      ],
      searchPath: ['public'],
      catalog: 'sales',
    });
  });
});

function mask(of: string): Input['masks'][number] {
  return { column: of, kind: 'NULL' };
}
