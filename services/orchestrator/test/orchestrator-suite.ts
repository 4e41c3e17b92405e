import type { RunState } from '#libs/contracts';
import type { TestDatabase } from './data-source.js';

const tables = [
  'run',
  'execution',
  'lane',
  'worker',
  'source',
  'finished_horizon',
  'cache_revision',
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
