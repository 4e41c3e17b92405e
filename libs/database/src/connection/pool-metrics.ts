import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';
import type { MetricsRegistry } from '#libs/telemetry';

/** The use of the connection pool: used, idle, waiting, and how long the waiting takes. */
export function measurePool(dataSource: DataSource, metrics: MetricsRegistry): void {
  const pool = poolOf(dataSource);
  metrics.gauge({ name: 'database_connections', help: 'Connections of the pool.', labels: ['state'] }, (gauge) => {
    gauge.set({ state: 'used' }, pool.totalCount - pool.idleCount);
    gauge.set({ state: 'idle' }, pool.idleCount);
  });
  metrics.gauge({ name: 'database_connections_max', help: 'The most that the pool opens.' }, (gauge) => {
    gauge.set(pool.options.max);
  });
  metrics.gauge({ name: 'database_waiting_requests', help: 'Who waits for a connection.' }, (gauge) => {
    gauge.set(pool.waitingCount);
  });
  const waitSeconds = metrics.histogram({
    name: 'database_connection_wait_seconds',
    help: 'From asking the pool for a connection to having it.',
  });
  timeConnects(pool, (seconds) => waitSeconds.observe(seconds));
}

type ConnectCallback = Parameters<Pool['connect']>[0];

// TypeORM asks with a callback; the pool has no event for how long that took.
function timeConnects(pool: Pool, observe: (seconds: number) => void): void {
  const connect = pool.connect.bind(pool);
  const timed = (callback: ConnectCallback): void => {
    const begun = performance.now();
    connect((...results: Parameters<ConnectCallback>) => {
      observe((performance.now() - begun) / 1_000);
      callback(...results);
    });
  };
  pool.connect = ((callback?: ConnectCallback) =>
    // Two overloads of one name; each branch answers as its own overload does.
    callback ? timed(callback) : connect()) as Pool['connect'];
}

function poolOf(dataSource: DataSource): Pool {
  const { driver } = dataSource;
  // TypeORM's PostgresDriver keeps node-postgres's pool in `master`, typed as any.
  if (!('master' in driver)) throw new Error('the data source is not PostgreSQL');
  return driver.master as Pool;
}
