import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';

export type ConnectCallback = Parameters<Pool['connect']>[0];

export function poolOf(dataSource: DataSource): Pool {
  const { driver } = dataSource;
  // TypeORM's PostgresDriver keeps node-postgres's pool in `master`, typed as any.
  if (!('master' in driver)) throw new Error('the data source is not PostgreSQL');
  return driver.master as Pool;
}

/** Has something see the result of each connection that is asked for: TypeORM asks with a callback, and the pool has no event for it. */
export function watchConnects(pool: Pool, watch: () => (error: Error | undefined) => void): void {
  const connect = pool.connect.bind(pool);
  const watched = (callback: ConnectCallback): void => {
    const saw = watch();
    connect((...results: Parameters<ConnectCallback>) => {
      saw(results[0]);
      callback(...results);
    });
  };
  pool.connect = ((callback?: ConnectCallback) =>
    // Two overloads of one name; each branch answers as its own overload does.
    callback ? watched(callback) : connect()) as Pool['connect'];
}
