import { hostname } from 'node:os';
import { z } from 'zod';
import { databaseUrlText, integerText, urlText } from './schemas.js';
import { secret, setting } from './setting.js';

// The settings that several services share. The return types are inferred: they are what ConfigOf reads.

const upper = (name: string): string => name.toUpperCase();

/** What every service has: its name among its kind, its port for health and metrics, its log and its traces. */
export function serviceSettings(name: string, defaults: { metricsPort: number }) {
  return {
    instance: setting(`SLUICE_${upper(name)}_INSTANCE`, z.string().regex(/^[A-Za-z0-9._-]{1,100}$/), {
      default: `${name}-${hostname().replace(/[^A-Za-z0-9._-]/g, '-')}-${process.pid}`,
      describe: 'The name of this process, unique among all. The default is made of host and process id.',
    }),
    metricsHost: setting(`SLUICE_${upper(name)}_METRICS_HOST`, z.string(), {
      fallbacks: ['SLUICE_METRICS_HOST'],
      default: '127.0.0.1',
      describe: 'The address that /healthz, /readyz and /metrics listen on.',
    }),
    metricsPort: setting(`SLUICE_${upper(name)}_METRICS_PORT`, integerText(0, 65_535), {
      default: defaults.metricsPort,
      describe: 'The port of /healthz, /readyz and /metrics; 0 takes a free one.',
    }),
    logLevel: setting(
      `SLUICE_${upper(name)}_LOG_LEVEL`,
      z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']),
      {
        fallbacks: ['SLUICE_LOG_LEVEL'],
        default: 'info',
        describe: 'The least that is logged.',
        live: true,
      },
    ),
    otlpUrl: setting('SLUICE_OTLP_URL', urlText('http:', 'https:').optional(), {
      describe: 'Where traces go (OTLP over HTTP), such as http://collector:4318/v1/traces. Not set: nowhere.',
    }),
    traceSampleRatio: setting('SLUICE_TRACE_SAMPLE_RATIO', z.coerce.number<string>().min(0).max(1), {
      default: 1,
      describe: 'The share of traces that are kept, from 0 to 1.',
    }),
    drainSeconds: setting(`SLUICE_${upper(name)}_DRAIN_SECONDS`, integerText(0, 3_600), {
      fallbacks: ['SLUICE_DRAIN_SECONDS'],
      default: 20,
      describe: 'How long a stopping process may take to finish what it has begun.',
    }),
  };
}

/** The service's own schema in PostgreSQL. */
export function databaseSettings<Schema extends string>(schema: Schema) {
  const prefix = `SLUICE_${upper(schema)}_DATABASE`;
  return {
    url: secret(`${prefix}_URL`, databaseUrlText, {
      fallbacks: ['SLUICE_DATABASE_URL'],
      describe:
        'The PostgreSQL database, such as postgresql://user@host:5432/sluice. Of several hosts between commas the one that takes writes is used.',
    }),
    replicaUrl: secret(`${prefix}_REPLICA_URL`, databaseUrlText.optional(), {
      fallbacks: ['SLUICE_DATABASE_REPLICA_URL'],
      describe:
        'Standbys of that database, between commas: long lists are read there once they have what was written before.',
    }),
    migrationUrl: secret(`${prefix}_MIGRATION_URL`, databaseUrlText.optional(), {
      fallbacks: ['SLUICE_DATABASE_MIGRATION_URL'],
      describe: 'The same database past a pooler, for migrations. Not set: the URL above.',
    }),
    pooling: setting(`${prefix}_POOLING`, z.enum(['session', 'transaction', 'transaction-prepared']), {
      fallbacks: ['SLUICE_DATABASE_POOLING'],
      default: 'session',
      describe:
        'transaction: a pooler such as PgBouncer stands before the database, and a connection is ours for a transaction only; -prepared: it keeps prepared statements (PgBouncer 1.21 with max_prepared_statements).',
    }),
    password: secret(`${prefix}_PASSWORD`, z.string().optional(), {
      fallbacks: ['SLUICE_DATABASE_PASSWORD'],
      describe: 'The password, where the URL does not carry it.',
    }),
    poolMax: setting(`${prefix}_POOL_MAX`, integerText(1, 500), {
      fallbacks: ['SLUICE_DATABASE_POOL_MAX'],
      default: 10,
      describe: 'The most connections of one process.',
    }),
    poolMin: setting(`${prefix}_POOL_MIN`, integerText(0, 500), {
      fallbacks: ['SLUICE_DATABASE_POOL_MIN'],
      default: 2,
      describe: 'How many connections are kept though nobody needs them: a new one has every plan to make again.',
    }),
    poolIdleSeconds: setting(`${prefix}_POOL_IDLE_SECONDS`, integerText(1, 3_600), {
      fallbacks: ['SLUICE_DATABASE_POOL_IDLE_SECONDS'],
      default: 10,
      describe: 'How long a connection beyond those is kept that nobody needs.',
    }),
  };
}
