import { Command } from 'commander';
import pg from 'pg';
import { BusClient, BusMetrics, serviceContext } from '#libs/bus';
import { defineConfig, loadConfig, redisSettings } from '#libs/config';
import type { Finding, HealthReport } from '#libs/contracts';
import { databaseAddress } from '#libs/database';
import {
  askServices,
  checkPools,
  examinePostgres,
  examineRoles,
  Examination,
  joinReports,
  type Query,
} from '#libs/doctor';
import { RedisConnections } from '#libs/redis';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { databaseUrl } from '../database-url.ts';

interface Options {
  readonly json: boolean;
  readonly services: boolean;
}

const statementMs = 15_000;
const connectMs = 5_000;

export const doctor = new Command('doctor')
  .description(
    'Looks at every Redis by its role, at PostgreSQL and, through the services, at workers, data sources, migrations,\n' +
      'clocks and certificates, and says of each finding what, why it matters and what mends it. It changes nothing.',
  )
  .option('--no-services', 'do not ask the services')
  .option('--json', 'print JSON, with all that was measured', false)
  .addHelpText(
    'after',
    `
Reads SLUICE_REDIS_*_URL, SLUICE_REDIS_PREFIX and SLUICE_DATABASE_URL as the services do. What the users of these may not
see is said to be not checked.
Exit codes: 0 healthy, 1 could not run, 2 wrong options, 3 findings that are warnings or worse.`,
  )
  .action(run);

async function run({ json, services }: Options): Promise<void> {
  const config = loadConfig(defineConfig({ redis: redisSettings, database: databaseUrl }));
  // What cannot be reached is a finding; the log would say it twice.
  const logger = AppLogger.create({ service: 'doctor', instance: 'doctor', level: 'silent' });
  const redis = new RedisConnections(config.redis, logger);
  try {
    const joined = joinReports([
      await examineRoles(redis),
      await database(config.database),
      ...(services ? [await throughServices(redis, logger)] : []),
    ]);
    const report = checkPools(joined);
    console.log(json ? JSON.stringify(report) : inWords(report));
    if (report.findings.some(isSerious)) process.exitCode = 3;
  } finally {
    await redis.close();
  }
}

async function database({ url, password }: { url?: string | undefined; password?: string | undefined }) {
  if (url === undefined) {
    const examination = new Examination('PostgreSQL');
    examination.notChecked('postgres', 'SLUICE_DATABASE_URL is not set');
    return examination.report;
  }
  const { url: connectionString, ...client } = databaseAddress(url, password);
  const pool = new pg.Pool({
    ...{ connectionString, ...client },
    application_name: 'sluice-doctor',
    max: 1,
    connectionTimeoutMillis: connectMs,
    statement_timeout: statementMs,
  });
  // Without a listener a lost connection would end the process.
  pool.on('error', () => undefined);
  // The type of the rows is what the statement says.
  const query: Query = async <Row>(sql: string, parameters: readonly unknown[] = []) =>
    (await pool.query(sql, [...parameters])).rows as Row[];
  try {
    return await examinePostgres(query);
  } finally {
    await pool.end();
  }
}

async function throughServices(redis: RedisConnections, logger: AppLogger): Promise<HealthReport> {
  if (!redis.isReady('broker')) {
    const examination = new Examination('Services');
    examination.notChecked('services', 'they are asked through the broker, which is away');
    return examination.report;
  }
  const metrics = new BusMetrics(new MetricsRegistry('doctor'));
  const client = new BusClient(`doctor-${process.pid}`, { redis, logger, metrics });
  const refusal = await refusalOf(redis, client.inbox.key);
  if (refusal !== undefined) {
    const examination = new Examination('Services');
    examination.notChecked('services', refusal);
    return examination.report;
  }
  client.start();
  try {
    // They look at PostgreSQL too, as theirs may be another, and what the pooler between does only they see.
    return await askServices(client, serviceContext('operator', ''), { withDatabase: true });
  } finally {
    await client.stop();
  }
}

/** Who may not read the answers hears of none, which says nothing of the services. Undefined where it may. */
async function refusalOf(redis: RedisConnections, inbox: string): Promise<string | undefined> {
  const message = await redis
    .client('broker')
    .xinfo('STREAM', inbox)
    .then(() => '', messageOf);
  return message.startsWith('NOPERM') ? `as this user no answer can be read: ${message}` : undefined;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function isSerious({ severity }: Finding): boolean {
  return severity !== 'NOTICE';
}

function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

function inWords({ findings, notChecked }: HealthReport): string {
  const lines = findings.map(
    ({ severity, check, subject, what, why, mend }) =>
      `${severity.toLowerCase()}: ${subject}: ${what} [${check}]\n  why:  ${why}\n  mend: ${mend}\n`,
  );
  const unseen = notChecked.map(({ check, subject, reason }) => `not checked: ${subject}: ${check}: ${reason}`);
  const count = findings.filter(isSerious).length;
  const verdict = count === 0 ? 'healthy' : counted(count, 'finding');
  return [
    ...lines,
    ...unseen,
    `${verdict}, ${counted(findings.length - count, 'notice')}, ${notChecked.length} not checked`,
  ].join('\n');
}
