import type { RunState, SourceConnection } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { encodeSource } from '../src/source/source-snapshot.js';
import type { TestDatabase } from './data-source.js';

const tables = [
  'run',
  'execution',
  'lane',
  'worker',
  'source',
  'backlog',
  'tenant',
  'usage',
  'spent',
  'finished_horizon',
  'cache_revision',
  'cache_horizon',
  'warm_up',
  'webhook',
  'webhook_delivery',
  'outbox',
  'inbox',
];

/** Empties the schema between tests; a test that left a run behind must not feed the next one's dispatcher. */
export async function clear(dataSource: TestDatabase): Promise<void> {
  await dataSource.query(`truncate ${tables.map((table) => `orchestrator.${table}`).join(', ')}`);
}

export interface StoredRun {
  readonly id: string;
  readonly state: RunState;
  readonly version: number;
  readonly fence: number;
  readonly attempts: number;
  readonly error_code: string | null;
  readonly rows: string;
  readonly source: Buffer | null;
}

export async function storedRun(dataSource: TestDatabase, id: string): Promise<StoredRun> {
  const [run]: StoredRun[] = await dataSource.query('select * from orchestrator.run where id = $1', [id]);
  if (!run) throw new Error(`${id} is not there`);
  return run;
}

/** How many final states were told of a run. */
export async function eventsOf(dataSource: TestDatabase): Promise<number> {
  const [row]: { n: string }[] = await dataSource.query('select count(*) as n from orchestrator.outbox');
  return Number(row?.n);
}

/** Every lane must say what the runs say. */
export async function laneFaults(dataSource: TestDatabase): Promise<unknown[]> {
  return dataSource.query(`
    select * from (
      select pool, source_id, workspace_id, user_id, class, count(*) as n from orchestrator.run where state = 'QUEUED'
      group by 1, 2, 3, 4, 5) r
    full join orchestrator.lane l using (pool, source_id, workspace_id, user_id, class)
    where coalesce(r.n, 0) <> coalesce(l.queued, 0)`);
}

interface Backlog {
  readonly count: number;
  readonly users: number;
  readonly class: number;
}

/** Runs that wait, put into the queue past every check: thousands in a moment. @returns their ids, the oldest first */
export async function enqueue(
  dataSource: TestDatabase,
  source: SourceConnection,
  { count, users, class: priority }: Backlog,
): Promise<string[]> {
  const ids = Array.from({ length: count }, () => newId('run'));
  const userIds = Array.from({ length: users }, () => newId('user'));
  await dataSource.query(
    `insert into orchestrator.run (id, workspace_id, flight_key, state, attempts_max, pool, user_id, class, source_id,
       source, sql, rows_max, bytes_max, timeout_ms, request_id, traceparent, queue_deadline, submitted_at)
     select id, $2, sha256(id::bytea), 'QUEUED', 3, 'default', ($3::text[])[1 + n % $4], $5, $6, $7, 'select 1', 10, 1000,
       60000, 'req_1', '', now() + interval '1 h', now() + n * interval '1 microsecond'
     from unnest($1::text[]) with ordinality i (id, n)`,
    [ids, source.workspaceId, userIds, users, priority, source.id, encodeSource(source)],
  );
  return ids;
}
