import type { HealthReport } from '#libs/contracts';
import { measured } from '../check-pools.js';
import { checkClock } from '../check-clock.js';
import { Examination } from '../examination.js';
import { thresholds, type Thresholds } from '../thresholds.js';
import { loadChecks } from './load-checks.js';
import { schemas, type PostgresSubject, type Query } from './postgres-subject.js';
import { tableChecks } from './table-checks.js';

const checks = { ...loadChecks, ...tableChecks };

/** Everything that is to be known of the database that `query` asks. Nothing is written, and no table of ours is read. */
export async function examinePostgres(query: Query, limits: Thresholds = thresholds): Promise<HealthReport> {
  let examination = new Examination('PostgreSQL');
  try {
    examination = new Examination(await nameOf(query));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    examination.found('postgres.reachable', {
      severity: 'CRITICAL',
      what: `It does not answer: ${message}`,
      why: 'It is the truth of every run, user and session: without it nothing goes on.',
      mend: 'pg_isready -d <SLUICE_DATABASE_URL>; systemctl status postgresql',
    });
    return examination.report;
  }
  const subject: PostgresSubject = { query, limits };
  for (const [name, check] of Object.entries(checks)) await examination.check(name, () => check(subject));
  await examination.check('postgres.clock', () => checkClock(() => timeOf(query), limits.clockSkewMs));
  await examination.check('postgres.size', () => measure(subject, examination));
  return examination.report;
}

async function measure({ query }: PostgresSubject, examination: Examination): Promise<[]> {
  const [row] = await query<{ database: string; clients: string; max: number }>(
    `select current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer as max,
       pg_database_size(current_database()) as database,
       (select count(*) from pg_stat_activity where backend_type = 'client backend') as clients`,
  );
  examination.measured('database', Number(row?.database ?? 0), 'bytes');
  examination.measured('connections', Number(row?.clients ?? 0));
  examination.measured(measured.connectionsMax, row?.max ?? 0);
  const tables = await query<{ name: string; bytes: string }>(
    `select schemaname || '.' || relname as name, pg_total_relation_size(relid) as bytes from pg_stat_user_tables
     where schemaname = any ($1) order by 2 desc limit 5`,
    [schemas],
  );
  for (const { name, bytes } of tables) examination.measured(name, Number(bytes), 'bytes');
  return [];
}

/**
 * By its own address, so that services that share it name it alike: also where some reach it by a socket and others by
 * the loopback of its machine.
 */
async function nameOf(query: Query): Promise<string> {
  const [row] = await query<{ name: string }>(
    `select current_database() || ' at ' || coalesce(host(nullif(inet_server_addr(), '::1')), '127.0.0.1') || ':'
       || coalesce(inet_server_port()::text, current_setting('port')) as name`,
  );
  return `PostgreSQL ${row?.name ?? ''}`;
}

async function timeOf(query: Query): Promise<number> {
  const [row] = await query<{ ms: number }>(
    'select (extract(epoch from clock_timestamp()) * 1000)::double precision as ms',
  );
  return row?.ms ?? Number.NaN;
}
