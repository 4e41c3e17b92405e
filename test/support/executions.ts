import { until } from '#libs/testing';
import type { Answer, ApiClient } from './api-client.js';
import { errorFields, executionFields, isFinal, type Execution, type Failures, type RowPage } from './api-types.js';

export interface RunOptions {
  priority?: string;
  limits?: { rows?: number; bytes?: number; timeoutSeconds?: number; sampleRows?: number };
  waitSeconds?: number;
  idempotencyKey?: string;
  cache?: { maxAgeSeconds?: number; staleWhileRevalidateSeconds?: number };
}

export interface RunPayload extends Failures {
  execution: Execution | null;
}

const payloadFields = `execution { ${executionFields} } ${errorFields}`;

export const runQueryDocument = `mutation ($input: RunQueryInput!) { runQuery(input: $input) { ${payloadFields} } }`;

export function sqlInput(dataSourceId: string, text: string, options: RunOptions = {}): Record<string, unknown> {
  return { query: { sql: { dataSourceId, text } }, ...options };
}

/** Asks, whatever comes of it. */
export async function tryRun(client: ApiClient, input: Record<string, unknown>): Promise<RunPayload> {
  const { runQuery } = await client.request<{ runQuery: RunPayload }>(runQueryDocument, { input });
  return runQuery;
}

/** An accepted question. */
export async function run(
  client: ApiClient,
  dataSourceId: string,
  text: string,
  options: RunOptions = {},
): Promise<Execution> {
  const { execution, errors } = await tryRun(client, sqlInput(dataSourceId, text, options));
  if (!execution) throw new Error(`refused: ${JSON.stringify(errors)}`);
  return execution;
}

/** A question and its final state. */
export async function runToEnd(
  client: ApiClient,
  dataSourceId: string,
  text: string,
  options: RunOptions = {},
): Promise<Execution> {
  const execution = await run(client, dataSourceId, text, { waitSeconds: 20, ...options });
  return isFinal(execution.state) ? execution : untilFinal(client, execution.id);
}

export async function findExecution(client: ApiClient, id: string): Promise<Execution | null> {
  const data = await client.request<{ execution: Execution | null }>(
    `query ($id: ID!) { execution(id: $id) { ${executionFields} } }`,
    { id },
  );
  return data.execution;
}

export async function getExecution(client: ApiClient, id: string): Promise<Execution> {
  const execution = await findExecution(client, id);
  if (!execution) throw new Error(`${id} is not to be seen`);
  return execution;
}

export function untilState(
  client: ApiClient,
  id: string,
  isReached: (execution: Execution) => boolean,
  timeoutMs = 30_000,
): Promise<Execution> {
  return until(
    async () => {
      const execution = await getExecution(client, id);
      return isReached(execution) ? execution : undefined;
    },
    { timeoutMs, intervalMs: 50, what: `the state of ${id}` },
  );
}

export function untilRunning(client: ApiClient, id: string): Promise<Execution> {
  return untilState(client, id, ({ state }) => state === 'RUNNING');
}

export function untilFinal(client: ApiClient, id: string, timeoutMs?: number): Promise<Execution> {
  return untilState(client, id, ({ state }) => isFinal(state), timeoutMs);
}

export async function cancel(client: ApiClient, id: string): Promise<RunPayload> {
  const { cancelExecution } = await client.request<{ cancelExecution: RunPayload }>(
    `mutation ($id: ID!) { cancelExecution(id: $id) { ${payloadFields} } }`,
    { id },
  );
  return cancelExecution;
}

export interface RowsArgs {
  first: number;
  after?: string;
  offset?: number;
  columns?: string[];
}

interface RowsAnswer {
  execution: { result: { rows: RowPage | null } | null } | null;
}

export function sendRows(client: ApiClient, id: string, args: RowsArgs): Promise<Answer<RowsAnswer>> {
  return client.send<RowsAnswer>(
    `query ($id: ID!, $first: Int!, $after: RowCursor, $offset: SafeInt, $columns: [String!]) {
       execution(id: $id) { result { rows(first: $first, after: $after, offset: $offset, columns: $columns) {
         offset rows endCursor hasNextPage } } } }`,
    { id, ...args },
  );
}

export async function readPage(client: ApiClient, id: string, args: RowsArgs): Promise<RowPage> {
  const { data, errors } = await sendRows(client, id, args);
  const page = data?.execution?.result?.rows;
  if (!page) throw new Error(`no rows of ${id}: ${JSON.stringify(errors)}`);
  return page;
}

/** All rows of a result, page by page. */
export async function readAllRows(client: ApiClient, id: string, first = 10_000): Promise<unknown[][]> {
  const rows: unknown[][] = [];
  for (let after: string | undefined; ;) {
    const page = await readPage(client, id, { first, ...(after === undefined ? {} : { after }) });
    rows.push(...page.rows);
    if (!page.hasNextPage) return rows;
    after = page.endCursor;
  }
}
