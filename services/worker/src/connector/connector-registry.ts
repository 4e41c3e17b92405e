import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { AppError } from '#libs/kernel';
import type { SqlDialect } from '#libs/sql';
import type { WorkerConfig } from '../worker.config.js';
import type { Connector } from './connector.js';

interface Kind {
  /** How its SQL is proven to only read. */
  readonly dialect: SqlDialect;
  readonly load: () => Promise<Connector>;
}

/** Which connector serves which type of source. A driver is loaded when a source of its type is first asked. */
@Injectable()
export class ConnectorRegistry {
  private readonly kinds: Readonly<Record<string, Kind>>;
  private readonly loaded = new Map<string, Promise<Connector>>();

  constructor(@InjectConfig() config: WorkerConfig) {
    this.kinds = {
      postgres: { dialect: 'postgres', load: () => loadPostgres(config) },
      duckdb: { dialect: 'duckdb', load: () => loadDuckdb(config) },
    };
  }

  dialectOf(type: string): SqlDialect {
    return this.kindOf(type).dialect;
  }

  get(type: string): Promise<Connector> {
    const kind = this.kindOf(type);
    const known = this.loaded.get(type);
    if (known) return known;
    const loading = kind.load();
    this.loaded.set(type, loading);
    // A driver that could not be loaded is tried again by the next who asks.
    loading.catch(() => this.loaded.delete(type));
    return loading;
  }

  async close(): Promise<void> {
    const connectors = await Promise.allSettled(this.loaded.values());
    for (const outcome of connectors) if (outcome.status === 'fulfilled') await outcome.value.close();
  }

  private kindOf(type: string): Kind {
    const kind = Object.hasOwn(this.kinds, type) ? this.kinds[type] : undefined;
    if (kind) return kind;
    throw new AppError('source.unavailable', 'This worker does not know the type of the data source.', {
      details: { type },
    });
  }
}

/** While questions come this close together, each spares a round trip; a connection lost in between costs a try. */
const trustedMs = 1_000;

async function loadPostgres({ run, source }: WorkerConfig): Promise<Connector> {
  const { PostgresConnector } = await import('../postgres/postgres-connector.js');
  return new PostgresConnector({
    connectTimeoutMs: source.connectTimeoutMs,
    idleMax: run.slots,
    idleMs: source.idleSeconds * 1_000,
    trustedMs,
  });
}

async function loadDuckdb({ service, source, duckdb }: WorkerConfig): Promise<Connector> {
  const { DuckdbConnector } = await import('../duckdb/duckdb-connector.js');
  return new DuckdbConnector(service.instance, duckdb, source.idleSeconds * 1_000);
}
