import type { DataSourceOptions } from 'typeorm';
import { parseDatabaseUrl, type ConfigOf, type databaseSettings, type DatabaseUrl } from '#libs/config';
import type { AppLogger } from '#libs/telemetry';
import { AnsweringClient, type AnswerSettings } from './answering-client.js';
import { QueryLogger } from './query-logger.js';
import { ServerChoice } from './server-choice.js';
import { serverClient } from './server-client.js';

export type DatabaseSettings = ConfigOf<ReturnType<typeof databaseSettings<string>>>;

export type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;

/** A class, as TypeORM takes entities and migrations. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- TypeORM's own type for a class
export type AnyClass = Function;

/**
 * No statement of a service outlives the request that it serves. A migration, which may take longer, lifts these for
 * its own transaction.
 */
export const timeouts = {
  connectMs: 5_000,
  /** Whoever waits for it could have asked the primary. */
  connectReplicaMs: 2_000,
  statementMs: 15_000,
  lockMs: 5_000,
  idleInTransactionMs: 15_000,
  /** A server that says nothing for longer while it owes an answer is asked whether it is there. Of statements only a commit may take longer. */
  answerMs: 18_000,
  /** The same through a pooler, where a statement may wait as long again for a connection to the server. */
  pooledAnswerMs: 33_000,
} as const;

const slowQueryMs = 1_000;
const connectionLifetimeSeconds = 1_800;

interface Parts {
  service: string;
  settings: DatabaseSettings;
  entities: readonly AnyClass[];
  migrations: readonly AnyClass[];
  logger: AppLogger;
}

/** How a service reaches its schema. Every table is named with its schema; the search path decides nothing. */
export function dataSourceOptions({ service, settings, entities, migrations, logger }: Parts): PostgresOptions {
  return {
    ...reach(settings.url, settings),
    type: 'postgres',
    // Each service keeps its tables in the schema of its own name, which its migrations name too.
    schema: service,
    applicationName: `sluice-${service}`,
    poolSize: settings.poolMax,
    connectTimeoutMS: timeouts.connectMs,
    entities: [...entities],
    migrations: [...migrations],
    migrationsTableName: 'migration',
    migrationsRun: false,
    synchronize: false,
    installExtensions: false,
    maxQueryExecutionTime: slowQueryMs,
    logger: new QueryLogger(logger),
    poolErrorHandler: (error: unknown) => logger.warn({ err: error }, 'an idle database connection has failed'),
  };
}

/** The same for migrations: past a pooler where there is a way, with the two connections that they need. */
export function migrationOptions(options: PostgresOptions, settings: DatabaseSettings): PostgresOptions {
  const { migrationUrl } = settings;
  const direct = migrationUrl === undefined ? {} : reach(migrationUrl, { ...settings, pooling: 'session' });
  const merged = { ...options, ...direct };
  // An index takes as long as it takes, and says nothing meanwhile.
  return { ...merged, poolSize: 2, extra: { ...extraOf(merged), min: 0, answerMs: 0 } };
}

/** The same for the standbys. */
export function replicaOptions(options: PostgresOptions, settings: DatabaseSettings): PostgresOptions | undefined {
  return settings.replicaUrl === undefined
    ? undefined
    : {
        ...options,
        ...reach(settings.replicaUrl, settings, 'any'),
        connectTimeoutMS: timeouts.connectReplicaMs,
        migrations: [],
      };
}

/** Whether a connection keeps what was prepared on it. */
export function keepsPrepared(options: { readonly extra?: unknown }): boolean {
  return extraOf(options)['keepsPrepared'] !== false;
}

/** Whether what is set on a connection holds for the statements behind it. */
export function keepsSession(options: { readonly extra?: unknown }): boolean {
  return extraOf(options)['keepsSession'] !== false;
}

// TypeORM types it as any.
function extraOf({ extra }: { readonly extra?: unknown }): Readonly<Record<string, unknown>> {
  return (extra ?? {}) as Readonly<Record<string, unknown>>;
}

/** How node-postgres reaches the server, or the one of several that will do: its connection string, and its kind of client. */
export function databaseAddress(
  text: string,
  password: string | undefined,
  several: NonNullable<DatabaseUrl['target']> = 'read-write',
): { readonly url: string; readonly Client: typeof AnsweringClient } & AnswerSettings {
  const parsed = parseDatabaseUrl(text);
  if (!parsed) throw new Error('the address of the database has not been checked');
  const { single, hosts, target } = parsed;
  const isOne = hosts.length === 1 && target === undefined;
  return {
    url: withPassword(single, password),
    answerMs: timeouts.answerMs,
    Client: isOne ? AnsweringClient : serverClient(new ServerChoice(hosts, target ?? several)),
  };
}

function reach(
  text: string,
  { password, pooling, poolMin, poolMax, poolIdleSeconds }: DatabaseSettings,
  several: NonNullable<DatabaseUrl['target']> = 'read-write',
): Pick<PostgresOptions, 'url' | 'extra'> {
  const { url, ...client } = databaseAddress(text, password, several);
  return {
    url,
    extra: {
      ...client,
      ...(pooling === 'session' ? {} : { answerMs: timeouts.pooledAnswerMs }),
      keepsPrepared: pooling !== 'transaction',
      keepsSession: pooling === 'session',
      // A pooler refuses them: its connections to the server carry them for everyone; see deploy/postgres/pgbouncer.ini.
      ...(pooling === 'session' ? sessionSettings : {}),
      min: Math.min(poolMin, poolMax),
      idleTimeoutMillis: poolIdleSeconds * 1_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      // So that a failover or a new balance of servers reaches every connection in the end.
      maxLifetimeSeconds: connectionLifetimeSeconds,
    },
  };
}

const sessionSettings = {
  statement_timeout: timeouts.statementMs,
  lock_timeout: timeouts.lockMs,
  idle_in_transaction_session_timeout: timeouts.idleInTransactionMs,
} as const;

/** node-postgres lets what the URL says win, an absent password too; so a password of its own goes into the URL. */
function withPassword(url: string, password: string | undefined): string {
  if (!password) return url;
  const complete = new URL(url);
  complete.password = encodeURIComponent(password);
  return complete.href;
}
