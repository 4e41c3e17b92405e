import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SourceConnection } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { AppError, toPublicErrorCode } from '#libs/kernel';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { openDatabase } from '../../test/data-source.js';
import {
  answerAround,
  newPrincipal,
  newSource,
  startOrchestrator,
  submitSql,
  TestWorker,
  type Orchestrator,
} from '../../test/orchestrator-harness.js';
import { clear } from '../../test/orchestrator-suite.js';

let server: PostgresServer;
let dataSource: DataSource;
let orchestrator: Orchestrator;
let principal: Principal;
let source: SourceConnection;

beforeAll(async () => {
  server = await startPostgres();
  dataSource = await openDatabase(await server.createDatabase());
});

afterAll(async () => {
  await dataSource.destroy();
  await server.stop();
});

beforeEach(async () => {
  await clear(dataSource);
  principal = newPrincipal();
  source = newSource(principal.workspaceId);
});

function start(overrides: Parameters<typeof startOrchestrator>[1]): void {
  orchestrator = startOrchestrator(dataSource, overrides);
  answerAround(orchestrator.bus, source);
}

let asked = 0;
const ask = (who = principal) => submitSql(orchestrator, who, source, `select ${(asked += 1)}`);

/** Runs a question to its end, with 3 rows of 30 bytes. */
async function run(): Promise<void> {
  const worker = new TestWorker(orchestrator);
  await worker.announce(1);
  const { runId } = await ask();
  await worker.claim({ runId, fence: 1 });
  await worker.succeed({ runId, fence: 1 });
  await worker.announce(0);
}

/** What a caller is told, as the gateway tells it. */
async function told(work: Promise<unknown>) {
  const error: unknown = await work.then(
    () => undefined,
    (err: unknown) => err,
  );
  if (!(error instanceof AppError)) throw new Error(`expected a refusal, not ${String(error)}`);
  const { code, publicMessage: message, path, retryable, retryAfterSeconds } = error;
  return { code: toPublicErrorCode(code), message, path, retryable, retryAfterSeconds };
}

async function secondsLeftOfToday(): Promise<number> {
  const [row]: { left: number }[] = await dataSource.query(
    `select extract(epoch from date_trunc('day', now() at time zone 'UTC') + interval '1 day'
       - now() at time zone 'UTC')::float8 as left`,
  );
  return row?.left ?? 0;
}

describe('who begins too many runs', () => {
  it('by the profile of ten a minute is told when the next one may begin', async () => {
    start({ allowance: { runsPerMinute: 10 } });
    for (let n = 0; n < 10; n += 1) await ask();
    const refused = await told(ask());
    expect(refused).toMatchObject({
      code: 'RATE_LIMITED',
      message: 'You have begun too many queries within a minute.',
      path: [],
      retryable: true,
    });
    // One of ten a minute comes back each six seconds.
    expect(refused.retryAfterSeconds).toBeGreaterThan(0);
    expect(refused.retryAfterSeconds).toBeLessThanOrEqual(6);
    await dataSource.query(`update orchestrator.usage set paced_until = paced_until - interval '6 s'`);
    await ask();
    expect((await told(ask())).code).toBe('RATE_LIMITED');
  });
});

describe('where too many wait', () => {
  it.each([
    ['of a workspace', { workspaceDepthMax: 2 }],
    ['of all', { depthMax: 2 }],
  ])('%s, one more is told to come back, and leaves nothing behind', async (_of, queue) => {
    start({ queue });
    await ask();
    await ask();
    expect(await told(ask())).toEqual({
      code: 'RATE_LIMITED',
      message: 'Too many queries are waiting. Try again later.',
      path: [],
      retryable: true,
      retryAfterSeconds: 1,
    });
    const [row]: { runs: string; executions: string; waiting: string }[] = await dataSource.query(
      `select (select count(*) from orchestrator.run) as runs, (select count(*) from orchestrator.execution) as executions,
         (select sum(queued) from orchestrator.backlog) as waiting`,
    );
    expect(row).toEqual({ runs: '2', executions: '2', waiting: '2' });
  });
});

describe('a quota that is used up', () => {
  it.each([
    ['Your', 'executions', { userExecutions: 1 }],
    ['Your', 'seconds', { userSeconds: 5 }],
    ['Your', 'rows', { userRows: 3 }],
    ['Your', 'bytes', { userBytes: 30 }],
    ['The workspace’s', 'executions', { workspaceExecutions: 1 }],
    ['The workspace’s', 'seconds', { workspaceSeconds: 5 }],
    ['The workspace’s', 'rows', { workspaceRows: 3 }],
    ['The workspace’s', 'bytes', { workspaceBytes: 30 }],
  ])('%s %s: says whose and which, and that it ends with the day', async (whose, kind, allowance) => {
    start({});
    await run();
    await dataSource.query('update orchestrator.spent set seconds = 5');
    start({ allowance });
    const before = await secondsLeftOfToday();
    const refused = await told(ask());
    expect(refused).toMatchObject({
      code: 'QUOTA_EXCEEDED',
      message: `${whose} daily quota of ${kind} is used up.`,
      path: [],
      retryable: true,
    });
    // The day may end between the two.
    expect(refused.retryAfterSeconds).toBeGreaterThan(0);
    expect(refused.retryAfterSeconds).toBeLessThanOrEqual(Math.max(before, await secondsLeftOfToday()) + 1);
    const colleague = newPrincipal({ workspaceId: principal.workspaceId });
    const outcome = await ask(colleague).then(
      ({ state }) => state,
      () => 'refused',
    );
    expect(outcome).toBe(whose === 'Your' ? 'QUEUED' : 'refused');
  });
});
