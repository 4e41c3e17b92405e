import type { SourceHandle } from '#libs/contracts';
import { delay } from '#libs/kernel';
import type { PostgresClient } from './postgres-client.js';

/** The members of a PostgreSQL session's handle. */
export interface PostgresHandle {
  readonly backendPid: string;
  readonly backendStart: string;
  readonly applicationName: string;
}

/** All three must be the run's: a process id is given out again, and a pooled session goes on to the next run. */
const isTheRun = `pid = $1::int and (extract(epoch from backend_start) * 1000000)::bigint = $2::bigint
  and application_name = $3`;
const sessionQuery = `select from pg_catalog.pg_stat_activity where ${isTheRun}`;
const cancelQuery = `select pg_catalog.pg_cancel_backend(pid) from pg_catalog.pg_stat_activity where ${isTheRun}`;
const terminateQuery = `select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity where ${isTheRun}`;

/** How long a canceled session may take to leave the run; one that cannot send its rows never does by itself. */
const graceMs = 1_000;
const lookAgainMs = 50;

/** Undefined where a handle is not of this kind. */
export function postgresHandleOf({ values }: SourceHandle): PostgresHandle | undefined {
  const { backendPid, backendStart, applicationName } = values;
  if (!/^\d{1,10}$/.test(backendPid ?? '') || !/^\d{1,18}$/.test(backendStart ?? '')) return undefined;
  if (backendPid === undefined || backendStart === undefined || applicationName === undefined) return undefined;
  return { backendPid, backendStart, applicationName };
}

/**
 * Cancels the statement of a session that is still the run's, from a session of its own; one that does not leave the
 * run within the grace is terminated. False where no such session is there any more.
 */
export async function cancelBackend(client: PostgresClient, handle: PostgresHandle): Promise<boolean> {
  const parameters = [handle.backendPid, handle.backendStart, handle.applicationName];
  const canceled = await client.ask(cancelQuery, parameters);
  if (canceled.rowCount === 0) return false;
  for (let waitedMs = 0; waitedMs < graceMs; waitedMs += lookAgainMs) {
    await delay(lookAgainMs);
    if ((await client.ask(sessionQuery, parameters)).rowCount === 0) return true;
  }
  await client.ask(terminateQuery, parameters);
  return true;
}
