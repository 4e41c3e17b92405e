import type { HealthReport } from '#libs/contracts';
import type { DatabaseState } from '#libs/database';
import { measured } from './check-pools.js';
import { Examination, joinReports, type Fault } from './examination.js';
import { examinePostgres } from './postgres/examine-postgres.js';
import { thresholds, type Thresholds } from './thresholds.js';

interface Extent {
  readonly withDatabase: boolean;
  readonly limits?: Thresholds;
}

/** What each service with a database looks at: its migrations, its outbox and, where that is wanted, the server itself. */
export async function examineService(
  database: Pick<DatabaseState, 'query' | 'schema' | 'migrations' | 'backlog' | 'pool'>,
  { withDatabase, limits = thresholds }: Extent,
): Promise<HealthReport> {
  const { schema } = database;
  const examination = new Examination(`Service ${schema}`);
  await examination.check('service.migrations', async () => {
    const { known, applied } = await database.migrations();
    return migrationFaults(schema, known, applied);
  });
  await examination.check('service.outbox', async () => {
    const { unpublished, oldestSeconds } = await database.backlog();
    if (oldestSeconds <= limits.outboxSeconds) return [];
    const what = `${unpublished} events of ${schema} wait to be told, the oldest for ${Math.round(oldestSeconds)} s.`;
    const why = 'Others act on them: results are cleared away late, the audit log stays behind.';
    return [{ severity: 'WARNING', what, why, mend: `See that the broker can be written to; then restart ${schema}` }];
  });
  await examination.check('service.pool', async () => {
    const { max, port } = database.pool;
    const [row] = await database.query<{ port: number | null }>('select inet_server_port() as port');
    examination.measured(measured.poolMax, max);
    // Through a socket of this machine there is no port to compare.
    const own = row?.port ?? undefined;
    const isPooled = port !== undefined && own !== undefined && own !== port;
    examination.measured(measured.isPooled, isPooled ? 1 : 0);
    return [];
  });
  if (!withDatabase) return examination.report;
  return joinReports([examination.report, await examinePostgres(database.query, limits)]);
}

/** What of the service's release is not in its schema yet. */
function migrationFaults(schema: string, known: readonly string[], applied: readonly string[]): Fault[] {
  const missing = known.filter((name) => !applied.includes(name));
  if (missing.length === 0) return [];
  return [
    {
      severity: 'CRITICAL',
      what: `${missing.length} migrations of ${schema} are not applied: ${missing.slice(0, 3).join(', ')}.`,
      why: 'The service asks for tables and columns that are not there.',
      mend: `systemctl restart sluice@${schema}: it migrates as it starts, and its log says what holds it up`,
    },
  ];
}
