import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'vitest';
import type { ApiClient } from '../api-client.js';
import type { Execution } from '../api-types.js';
import { comparable, readers } from '../download-readers.js';
import { downloaded, type DownloadFormat } from '../downloads.js';
import { collect, executionEvents } from '../execution-events.js';
import { findExecution, readAllRows, run, runToEnd, sqlInput, tryRun, type RunOptions } from '../executions.js';
import { newSavedQuery } from '../saved-queries.js';
import { comparedRows, type ComparedRows } from './compared-rows.js';
import type { DrawnQuery } from './drawn-queries.js';
import { marksIn, tableNames, type Row, type Tables } from './governed-tables.js';

/** One asker, with what they may see by the judge alone. */
export interface Asker {
  readonly client: ApiClient;
  readonly tables: Tables;
  readonly isGoverned: (query: DrawnQuery) => boolean;
}

export interface Ask {
  readonly asker: Asker;
  /** Has asked the same, or asks it at the same time. */
  readonly other: Asker;
  readonly admin: ApiClient;
  readonly sourceId: string;
  readonly query: DrawnQuery;
  /** Makes the same statement that of this world alone. */
  readonly mark: string;
  /** How the cache has answered so far: an ask beside this one may have invalidated what it would have been given. */
  readonly statuses: Set<string>;
}

type Way = (ask: Ask) => Promise<void>;

const textOf = ({ query, mark }: Ask): string => `${query.sql} /* ${mark} */`;
const expectedOf = ({ query }: Ask, { tables }: Asker): ComparedRows => comparedRows(query.answer(tables));

async function succeeded(ask: Ask, { client }: Asker, options: RunOptions = {}): Promise<Execution> {
  const execution = await runToEnd(client, ask.sourceId, textOf(ask), options);
  expect([execution.state, execution.error]).toEqual(['SUCCEEDED', null]);
  return execution;
}

/** Asks, and has what is allowed: no more, and no less. */
async function answered(ask: Ask, asker: Asker, options: RunOptions = {}): Promise<void> {
  const { id, cache } = await succeeded(ask, asker, options);
  expect(comparedRows(await readAllRows(asker.client, id))).toEqual(expectedOf(ask, asker));
  ask.statuses.add(cache.status);
}

const stale = { maxAgeSeconds: 1, staleWhileRevalidateSeconds: 600 };
/** By then an answer is older than that. */
const agedMs = 1_100;

async function invalidate({ admin, sourceId }: Ask): Promise<void> {
  await admin.request(
    'mutation ($input: InvalidateCacheInput!) { invalidateCache(input: $input) { invalidatedCount } }',
    {
      input: { dataSourceIds: [sourceId] },
    },
  );
}

const download =
  (format: DownloadFormat): Way =>
  async (ask) => {
    const { id, result } = await succeeded(ask, ask.asker);
    const columns = result?.columns ?? [];
    const rows = await readers[format](await downloaded(ask.asker.client, id, { format }), columns);
    const values = rows.map((row) => row.map((value, index) => comparable(columns[index]?.type ?? '', value)));
    expect(comparedRows(values)).toEqual(expectedOf(ask, ask.asker));
  };

/** The values that a parameter may have are themselves the answer of a query. */
async function optionsOfParameter({ admin, asker, query: { relation }, sourceId, mark }: Ask): Promise<void> {
  const sql = `select distinct o.secret from (${relation.sql}) o where o.secret is not null /* ${mark} */`;
  const options = await newSavedQuery(admin, sourceId, sql);
  const { id } = await newSavedQuery(admin, sourceId, `select {{ secret }} as secret /* ${mark} */`, {
    parameters: [{ name: 'secret', type: 'TEXT', optionsQueryId: options.id }],
  });
  const { parameterOptions } = await asker.client.request<{ parameterOptions: { options: { value: string }[] } }>(
    'query ($id: ID!) { parameterOptions(savedQueryId: $id, parameter: "secret", first: 100) { options { value } } }',
    { id },
  );
  const secrets = new Set(relation.answer(asker.tables).flatMap(({ secret }) => secret ?? []));
  const found = parameterOptions.options.map(({ value }) => [value]);
  expect(comparedRows(found)).toEqual(comparedRows([...secrets].map((secret) => [secret])));
}

/** Fails for every row that is not allowed, should one be looked at. */
async function failsOnHidden({ asker, query: { relation }, sourceId, mark }: Ask): Promise<void> {
  const allowed = tableNames.flatMap((table) => asker.tables[table].map(({ id }) => id));
  const text = `select 1 / (case when q.id in (${[-1, ...allowed].join(', ')}) then 1 else 0 end) as n
    from (${relation.sql}) q /* ${mark} */`;
  const { state, error } = await runToEnd(asker.client, sourceId, text);
  expect([state, error]).toEqual(['SUCCEEDED', null]);
}

/** Fails with a value, which must be an allowed one. */
async function errorText({ asker, query: { relation }, sourceId, mark }: Ask): Promise<void> {
  const text = `select cast(q.secret as int) as n from (${relation.sql}) q /* ${mark} */`;
  const execution = await runToEnd(asker.client, sourceId, text);
  const events = await collect(executionEvents(asker.client, { id: execution.id, includeRows: true }));
  expect(hiddenMarks(JSON.stringify([execution.error, events]), asker)).toEqual([]);
}

function hiddenMarks(told: string, { tables }: Asker): string[] {
  const allowed = new Set(tableNames.flatMap((table) => tables[table].map(({ secret }: Row) => secret)));
  return marksIn(told).filter((mark) => !allowed.has(mark));
}

const explained =
  (words: string): Way =>
  async (ask) => {
    const { execution, errors } = await tryRun(ask.asker.client, sqlInput(ask.sourceId, `${words} ${textOf(ask)}`));
    expect(execution).toBeNull();
    expect(['SQL_NOT_READ_ONLY', 'SQL_REJECTED']).toContain(errors[0]?.code);
  };

/** A planner counts hidden rows too, so nothing is told where there may be some. */
async function estimated(ask: Ask): Promise<void> {
  if (!ask.asker.isGoverned(ask.query)) return;
  const { estimateQuery } = await ask.asker.client.request<{ estimateQuery: unknown }>(
    'query ($query: QueryInput!) { estimateQuery(query: $query) { rows bytes cost plan errors { code } } }',
    sqlInput(ask.sourceId, textOf(ask)),
  );
  const nothing = { rows: null, bytes: null, cost: null, plan: null };
  expect(estimateQuery).toEqual({ ...nothing, errors: [{ code: 'FORBIDDEN' }] });
}

/** Followed from before its end or from behind it. */
async function pushed(ask: Ask): Promise<void> {
  const { client } = ask.asker;
  const { id } = await run(client, ask.sourceId, textOf(ask));
  const events = await collect(executionEvents(client, { id, includeRows: true }));
  const rows = events.flatMap(({ page }) => page?.rows ?? []);
  expect(comparedRows(rows)).toEqual(expectedOf(ask, ask.asker));
}

/** What another was answered is not there for who may read their own alone. */
async function executionOfAnother(ask: Ask): Promise<void> {
  const { asker, other } = ask;
  const { id } = await succeeded(ask, other);
  expect(await findExecution(asker.client, id)).toBeNull();
  const { node, executions } = await asker.client.request<{ node: unknown; executions: { nodes: { id: string }[] } }>(
    'query ($id: ID!, $source: ID!) { node(id: $id) { id } executions(first: 100, dataSourceId: $source) { nodes { id } } }',
    { id, source: ask.sourceId },
  );
  expect(node).toBeNull();
  expect(executions.nodes.filter((each) => each.id === id)).toEqual([]);
  await expect(collect(executionEvents(asker.client, { id, includeRows: true }))).rejects.toThrow('NOT_FOUND');
}

export const waysToBeAnswered: Readonly<Record<string, Way>> = {
  fresh: (ask) => answered(ask, ask.asker, { cache: { maxAgeSeconds: 0 } }),
  cached: async (ask) => {
    await answered(ask, ask.other);
    await answered(ask, ask.asker);
    await answered(ask, ask.asker);
  },
  shared: async (ask) => {
    await Promise.all([ask.asker, ask.other, ask.asker].map((asker) => answered(ask, asker)));
  },
  stale: async (ask) => {
    await answered(ask, ask.other);
    await answered(ask, ask.asker);
    await wait(agedMs);
    for (const asker of [ask.asker, ask.other]) await answered(ask, asker, { cache: stale });
  },
  'stale behind an invalidation': async (ask) => {
    await answered(ask, ask.other);
    await invalidate(ask);
    for (const asker of [ask.asker, ask.other]) await answered(ask, asker, { cache: stale });
  },
  'download as CSV': download('CSV'),
  'download as NDJSON': download('NDJSON'),
  'download as PARQUET': download('PARQUET'),
  'download as XLSX': download('XLSX'),
  'options of a parameter': optionsOfParameter,
  'a failure on hidden rows': failsOnHidden,
  'the text of an error': errorText,
  EXPLAIN: explained('explain'),
  'EXPLAIN ANALYZE': explained('explain analyze'),
  'an estimate': estimated,
  'pushed rows': pushed,
  'the execution of another': executionOfAnother,
};

/** Those in which one could be given what another was answered; drawn as often as all together. */
export const waysOfKeptAnswers = ['cached', 'shared', 'stale', 'stale behind an invalidation'] as const;
