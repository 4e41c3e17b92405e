import type pg from 'pg';
import { isConnectionFault, postgresCode } from '../postgres-errors.js';
import { askServer, NoAnswer } from './ask-server.js';

const tooManyConnections = '53300';
/** All that PgBouncer says of itself. */
const poolerRefusal = '08P01';

interface Silence {
  readonly settings: pg.ClientConfig;
  /** Which of the server's processes owes the answer; behind a pooler that is not known. */
  readonly processId: number | undefined;
  readonly silentMs: number;
}

interface BusyProcess {
  readonly id: number;
  readonly forMs: number;
  /** Commits, and waits for a synchronous standby. */
  readonly waitsForStandby: boolean;
}

/** A server that falls silent does so on all connections at once. */
const asking = new Map<string, Promise<readonly BusyProcess[]>>();

/**
 * Whether the server of a silent connection is there, and at work for it. A commit alone may take so long: `statement_timeout` does
 * not hold for it, and it waits for a synchronous standby without end. Behind a pooler any such commit may be the one. A server that
 * has no room for the question is there as well.
 */
export async function isStillAtWork({ settings, processId, silentMs }: Silence): Promise<boolean> {
  try {
    const busy = await askOnce(settings);
    return busy.some(
      ({ id, forMs, waitsForStandby }) =>
        // For so long, or it may be another server's that is found in the place of ours.
        forMs > silentMs / 2 && (processId === undefined ? waitsForStandby : id === processId),
    );
  } catch (error) {
    return postgresCode(error) === tooManyConnections || (processId === undefined && isWithoutTurn(error));
  }
}

/**
 * A pooler all of whose connections are at work, commits that wait among them, has none for the question either. That its server is
 * gone it finds out by itself, and says so.
 */
function isWithoutTurn(error: unknown): boolean {
  return error instanceof NoAnswer || (postgresCode(error) === poolerRefusal && !isConnectionFault(error));
}

/** One question at a time to each server. */
function askOnce(settings: pg.ClientConfig): Promise<readonly BusyProcess[]> {
  const { user, host, port, database } = settings;
  const server = JSON.stringify([user, host, port, database]);
  const answer = asking.get(server) ?? askServer(settings, busyProcesses).finally(() => asking.delete(server));
  asking.set(server, answer);
  return answer;
}

async function busyProcesses(client: pg.Client): Promise<readonly BusyProcess[]> {
  const { rows } = await client.query<BusyProcess>(
    `select pid as id, extract(epoch from clock_timestamp() - query_start)::double precision * 1000 as "forMs",
       wait_event is not distinct from 'SyncRep' as "waitsForStandby"
     from pg_stat_activity where usename = current_user and state = 'active'`,
  );
  return rows;
}
