import pg from 'pg';
import { postgresCode } from '../postgres-errors.js';

const askTimeoutMs = 2_000;
const tooManyConnections = '53300';

interface Silence {
  readonly settings: pg.ClientConfig;
  /** Which of the server's processes owes the answer; behind a pooler that is not known. */
  readonly processId: number | null;
  readonly silentMs: number;
}

/**
 * Whether the server of a silent connection is there, and at work for it. A commit alone may take so long: `statement_timeout` does
 * not hold for it, and it waits for a synchronous standby without end. A server that has no room for the question is there as well.
 */
export async function isStillAtWork({ settings, processId, silentMs }: Silence): Promise<boolean> {
  const client = new pg.Client({ ...settings, connectionTimeoutMillis: askTimeoutMs });
  client.on('error', () => undefined);
  const timer = setTimeout(() => client.connection.stream.destroy(), 2 * askTimeoutMs);
  try {
    await client.connect();
    const { rows } = await client.query<{ works: boolean }>(
      // For so long, or it may be another server's that is found in the place of ours.
      `select exists (select from pg_stat_activity where usename = current_user and state = 'active'
         and query_start < clock_timestamp() - make_interval(secs => $2) and (pid = $1 or wait_event = 'SyncRep')) as works`,
      [processId, silentMs / 2_000],
    );
    return rows[0]?.works === true;
  } catch (error) {
    return postgresCode(error) === tooManyConnections;
  } finally {
    clearTimeout(timer);
    client.end().catch(() => undefined);
  }
}
