import type { SourceHandle, Table } from '#libs/contracts';
import type { Connector, OpenedSource, SessionPurpose, SourceSession } from '../connector/connector.js';
import { cancelBackend, postgresHandleOf } from './cancel-backend.js';
import { PostgresClient } from './postgres-client.js';
import { toConnectionError } from './postgres-errors.js';
import { PostgresPool, type PoolLimits } from './postgres-pool.js';
import { PostgresSession } from './postgres-session.js';
import { readPostgresSchema } from './read-postgres-schema.js';

interface KnownPool {
  readonly version: number;
  readonly pool: PostgresPool;
  usedAt: number;
}

/** PostgreSQL: a read-only transaction of its own for each run, over connections that are kept and reset between runs. */
export class PostgresConnector implements Connector {
  private readonly pools = new Map<string, KnownPool>();

  constructor(private readonly limits: PoolLimits) {}

  open(source: OpenedSource, purpose: SessionPurpose): Promise<SourceSession> {
    return PostgresSession.open(this.poolOf(source), purpose);
  }

  test(source: OpenedSource): Promise<string> {
    return this.withClient(source, async ({ client }) => {
      const { rows } = await client.query<{ server_version: string }>('show server_version');
      return `PostgreSQL ${rows[0]?.server_version ?? ''}`.trim();
    });
  }

  readSchema(source: OpenedSource): Promise<Table[]> {
    return this.withClient(source, ({ client, options }) => readPostgresSchema(client, options.schemas));
  }

  async cancel(source: OpenedSource, handle: SourceHandle): Promise<boolean> {
    const postgresHandle = postgresHandleOf(handle);
    if (!postgresHandle) return false;
    return this.withClient(source, (client) => cancelBackend(client, postgresHandle));
  }

  async close(): Promise<void> {
    await Promise.all([...this.pools.values()].map(({ pool }) => pool.close()));
    this.pools.clear();
  }

  /** Another version of a source is another source: its connections have other rights. */
  private poolOf(source: OpenedSource): PostgresPool {
    this.forgetUnused();
    const known = this.pools.get(source.id);
    if (known?.version === source.version) {
      known.usedAt = performance.now();
      return known.pool;
    }
    // A job of an older version may come late; it gets connections that nobody keeps.
    if (known && known.version > source.version) return new PostgresPool(source, { ...this.limits, idleMax: 0 });
    void known?.pool.close();
    const pool = new PostgresPool(source, this.limits);
    this.pools.set(source.id, { version: source.version, pool, usedAt: performance.now() });
    return pool;
  }

  /** A pool holds its source's password; one whose connections have all expired is let go. */
  private forgetUnused(): void {
    const before = performance.now() - this.limits.idleMs;
    for (const [id, { pool, usedAt }] of this.pools) {
      if (usedAt < before && pool.isIdle) this.pools.delete(id);
    }
  }

  private async withClient<T>(source: OpenedSource, use: (client: PostgresClient) => Promise<T>): Promise<T> {
    const client = await PostgresClient.connect(source, this.limits.connectTimeoutMs);
    try {
      return await use(client);
    } catch (error) {
      throw toConnectionError(error);
    } finally {
      await client.end();
    }
  }
}
