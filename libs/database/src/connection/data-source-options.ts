import type { DataSourceOptions } from 'typeorm';
import type { ConfigOf, databaseSettings } from '#libs/config';
import type { AppLogger } from '#libs/telemetry';
import { QueryLogger } from './query-logger.js';

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
  statementMs: 15_000,
  lockMs: 5_000,
  idleInTransactionMs: 15_000,
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
    type: 'postgres',
    url: withPassword(settings.url, settings.password),
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
    extra: {
      statement_timeout: timeouts.statementMs,
      lock_timeout: timeouts.lockMs,
      idle_in_transaction_session_timeout: timeouts.idleInTransactionMs,
      min: Math.min(settings.poolMin, settings.poolMax),
      idleTimeoutMillis: settings.poolIdleSeconds * 1_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      // So that a failover or a new balance of servers reaches every connection in the end.
      maxLifetimeSeconds: connectionLifetimeSeconds,
    },
  };
}

/** node-postgres lets what the URL says win, an absent password too; so a password of its own goes into the URL. */
function withPassword(url: string, password: string | undefined): string {
  if (!password) return url;
  const complete = new URL(url);
  complete.password = encodeURIComponent(password);
  return complete.href;
}
