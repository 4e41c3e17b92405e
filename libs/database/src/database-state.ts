import type { DataSource } from 'typeorm';
import type { OutboxBacklog, OutboxStore } from './outbox/outbox.store.js';

interface MigrationsOfSchema {
  /** The service's own, of this release. */
  readonly known: readonly string[];
  readonly applied: readonly string[];
}

/** What is asked of a service's database by whoever looks after it; it never writes. */
export class DatabaseState {
  constructor(
    private readonly dataSource: DataSource,
    private readonly outbox: OutboxStore,
    readonly schema: string,
  ) {}

  readonly query = async <Row>(sql: string, parameters: readonly unknown[] = []): Promise<Row[]> =>
    this.dataSource.query<Row[]>(sql, [...parameters]);

  async migrations(): Promise<MigrationsOfSchema> {
    const rows = await this.query<{ name: string }>(`select name from ${this.schema}.migration`);
    // TypeORM names a migration after its class, unless it has a name of its own.
    const known = this.dataSource.migrations.map((migration) => migration.name ?? migration.constructor.name);
    return { known, applied: rows.map(({ name }) => name) };
  }

  /** The most connections of this process, and the port that it connects to; not the server's own where a pooler is between. */
  get pool(): { readonly max: number; readonly port: number | undefined } {
    const { options } = this.dataSource;
    if (options.type !== 'postgres') throw new Error('the data source is not PostgreSQL');
    const port = options.url === undefined ? '' : new URL(options.url).port;
    return { max: options.poolSize ?? 0, port: port === '' ? undefined : Number(port) };
  }

  /** What was committed and not told yet. */
  backlog(): Promise<OutboxBacklog> {
    return this.outbox.backlog();
  }
}
