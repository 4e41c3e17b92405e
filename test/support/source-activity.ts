import { until } from '#libs/testing';
import type { RunningMesh } from './running-mesh.js';

/** How many statements that contain `text` run at the source this moment. */
export async function backendsWith(mesh: RunningMesh, text: string): Promise<number> {
  const { rows } = await mesh.warehouse.query<{ count: number }>(
    `select count(*)::int as count from pg_stat_activity
     where state <> 'idle' and pid <> pg_backend_pid() and usename = $2 and position($1 in query) > 0`,
    [text, mesh.access.reader.user],
  );
  return rows[0]?.count ?? 0;
}

/** All statements of the source's role, whatever they are. */
export async function busyBackends(mesh: RunningMesh): Promise<string[]> {
  const { rows } = await mesh.warehouse.query<{ query: string }>(
    "select state || ': ' || left(query, 200) as query from pg_stat_activity where usename = $1 and state <> 'idle'",
    [mesh.access.reader.user],
  );
  return rows.map(({ query }) => query);
}

export function untilBackend(mesh: RunningMesh, text: string): Promise<number> {
  return until(() => backendsWith(mesh, text), { what: `a statement with ${text} at the source` });
}

export function untilNoBackend(mesh: RunningMesh, text: string, timeoutMs = 5_000): Promise<boolean> {
  return until(async () => (await backendsWith(mesh, text)) === 0, {
    timeoutMs,
    what: `the end of the statement with ${text} at the source`,
  });
}

/** Runs that are not final, as the orchestrator's own table has them. */
export async function unfinishedRuns(mesh: RunningMesh): Promise<{ id: string; state: string; sql: string }[]> {
  const { rows } = await mesh.sluice.query<{ id: string; state: string; sql: string }>(
    'select id, state, left(sql, 100) as sql from orchestrator.run where finished_at is null',
  );
  return rows;
}

/** Nothing is under way: no unfinished run, no statement at the source. */
export async function untilQuiet(mesh: RunningMesh, timeoutMs = 10_000): Promise<void> {
  await until(async () => (await unfinishedRuns(mesh)).length === 0 && (await busyBackends(mesh)).length === 0, {
    timeoutMs,
    what: 'quiet: no unfinished run, no statement at the source',
  });
}
