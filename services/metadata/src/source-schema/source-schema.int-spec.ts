import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { workerRequests, type Table } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { until } from '#libs/testing';
import { codeOf, faultOf, MetadataSuite, sourceOptions } from '../../test/metadata-suite.js';
import { SamplableTablesService } from './samplable-tables.service.js';
import { SchemaRefreshService } from './schema-refresh.service.js';

let suite: MetadataSuite;
beforeAll(async () => {
  suite = await MetadataSuite.start();
});
beforeEach(() => suite.renew());
afterAll(() => suite.stop());

describe('the schema of a source', () => {
  const column = { name: 'id', type: 'INTEGER' as const, sourceType: 'int4', nullable: false };
  const tables = ['orders', 'Customers', 'items'].map((name) => ({ schema: 'public', name, columns: [column] }));

  it('is read behind the making of the source, and listed by name and by search', async () => {
    suite.bus.readSchema = async () => tables;
    const { id } = await suite.createSource();
    await until(async () => (await suite.sources.get([id], suite.caller))[0]?.schemaRefreshedAt);
    const first = await suite.schemas.list({ dataSourceId: id, page: { first: 2 } }, suite.caller);
    expect(first.tables).toEqual([tables[1], tables[2]]);
    expect(first.totalCount).toBe(3);
    const rest = await suite.schemas.list(
      { dataSourceId: id, page: { first: 2, after: first.pageInfo?.endCursor } },
      suite.caller,
    );
    expect(rest.tables).toEqual([tables[0]]);
    const found = await suite.schemas.list({ dataSourceId: id, page: { first: 2 }, search: 'PUBLIC.o' }, suite.caller);
    expect(found.tables).toEqual([tables[0]]);
    expect(suite.bus.count(workerRequests.readSchema)).toBe(1);
  });

  it('does not keep a source from being made, and is asked for again by who wants to see it', async () => {
    suite.bus.readSchema = () => Promise.reject(new AppError('source.credentials_wrong', 'The password is wrong.'));
    const { id } = await suite.createSource();
    const list = () => suite.schemas.list({ dataSourceId: id, page: { first: 2 } }, suite.caller);
    expect(await codeOf(list())).toBe('source.credentials_wrong');
    expect(await codeOf(list())).toBe('source.credentials_wrong');
    expect(suite.bus.count(workerRequests.readSchema)).toBe(1);
    suite.bus.readSchema = async () => tables;
    expect((await suite.schemas.refresh(id, suite.caller)).schemaRefreshedAt).toBeInstanceOf(Date);
    expect((await list()).totalCount).toBe(3);
  });

  it('is read once for all who ask at the same time', async () => {
    const answers: ((tables: Table[]) => void)[] = [];
    suite.bus.readSchema = () => new Promise((resolve) => answers.push(resolve));
    const { id } = await suite.createSource();
    await until(() => answers.length === 1);
    const joined = vi.spyOn(SchemaRefreshService.prototype, 'refresh');
    const all = Promise.all([suite.schemas.refresh(id, suite.caller), suite.schemas.refresh(id, suite.caller)]);
    // Their rights are looked up first; who comes when it has been read asks anew.
    await until(() => joined.mock.calls.length === 2);
    joined.mockRestore();
    answers[0]?.(tables);
    await all;
    expect(suite.bus.count(workerRequests.readSchema)).toBe(1);
  });

  it('is never that of the database which the source was before', async () => {
    const answers: (() => void)[] = [];
    suite.bus.readSchema = (source) =>
      new Promise((resolve) =>
        answers.push(() =>
          resolve([{ schema: 'public', name: JSON.stringify(source.options?.['database']), columns: [column] }]),
        ),
      );
    const { id } = await suite.createSource();
    await until(() => answers.length === 1);
    await suite.sources.update({ id, version: 1, options: { database: 'new' }, cleared: [] }, suite.caller);
    answers[0]?.();
    await until(() => answers.length === 2);
    answers[1]?.();
    await suite.schemasRead();
    const { tables: listed } = await suite.schemas.list({ dataSourceId: id, page: { first: 9 } }, suite.caller);
    expect(listed.map((table) => table.name)).toEqual(['"new"']);
  });

  it('replaces what was known, and is no change of the source', async () => {
    suite.bus.readSchema = async () => tables;
    const { id } = await suite.createSource();
    await suite.schemas.refresh(id, suite.caller);
    suite.bus.readSchema = async () =>
      Array.from({ length: 1_200 }, (_, index) => ({ name: `t${index}`, columns: [] }));
    const refreshed = await suite.schemas.refresh(id, suite.caller);
    expect(refreshed.version).toBe(1);
    expect((await suite.schemas.list({ dataSourceId: id, page: { first: 1 } }, suite.caller)).totalCount).toBe(1_200);
  });

  it('says of what a sample can be taken, by the search path of the source, and of nothing that it does not tell', async () => {
    const service = suite.app.get(SamplableTablesService);
    suite.bus.readSchema = async () => [
      { schema: 'public', name: 'orders', columns: [column], samplable: true },
      { schema: 'sales', name: 'orders', columns: [column], samplable: false },
      { schema: 'public', name: 'items', columns: [column], samplable: true },
      { schema: 'public', name: 'untold', columns: [column] },
    ];
    const { id, workspaceId } = await suite.connectionOf(
      (await suite.createSource('Sales', { options: { ...sourceOptions, schemas: ['sales', 'public'] } })).id,
    );
    const isSamplable = (name: string, schema?: string) =>
      service.isSamplable(workspaceId, { dataSourceId: id, schema, name });
    await suite.schemas.refresh(id, suite.caller);
    expect(await isSamplable('orders')).toBe(false);
    expect(await isSamplable('orders', 'public')).toBe(true);
    expect(await isSamplable('items')).toBe(true);
    for (const [name, schema] of [['items', 'sales'], ['untold'], ['absent']] as const) {
      expect(await isSamplable(name, schema)).toBeUndefined();
    }
  });

  it('does not keep a caller beyond the time of the request', async () => {
    let answer: (tables: Table[]) => void = () => undefined;
    suite.bus.readSchema = () => new Promise((resolve) => (answer = resolve));
    const { id } = await suite.createSource();
    const hurried = { ...suite.caller, remainingMs: () => 300 };
    expect(await faultOf(suite.schemas.refresh(id, hurried))).toMatchObject({ code: 'source.unavailable' });
    await until(() => suite.bus.count(workerRequests.readSchema) === 1);
    answer(tables);
    await suite.schemasRead();
    expect((await suite.schemas.list({ dataSourceId: id, page: { first: 1 } }, hurried)).totalCount).toBe(3);
  });
});

describe('the test of a source', () => {
  it('tells what the source answers, a wrong password too', async () => {
    const { id } = await suite.createSource();
    expect(await suite.schemas.test(id, suite.caller)).toEqual({ latencyMs: 1, serverVersion: '18' });
    suite.bus.testSource = () => Promise.reject(new AppError('source.credentials_wrong', 'The password is wrong.'));
    expect(await codeOf(suite.schemas.test(id, suite.caller))).toBe('source.credentials_wrong');
  });

  it('takes a silent worker for a source that cannot be reached, within 20 s and the time of the request', async () => {
    const { id } = await suite.createSource();
    suite.bus.testSource = () => Promise.reject(new AppError('bus.timeout', 'No answer.', { retryable: true }));
    expect(await codeOf(suite.schemas.test(id, { ...suite.caller, remainingMs: () => 60_000 }))).toBe(
      'source.unavailable',
    );
    await codeOf(suite.schemas.test(id, { ...suite.caller, remainingMs: () => 5_000 }));
    const asked = suite.bus.asked.filter((each) => each.pattern === workerRequests.testSource.pattern);
    expect(asked.map((each) => each.ttlMs)).toEqual([20_000, 4_750]);
  });
});
