import type { DataSource } from 'typeorm';
import type { MetricsRegistry } from '#libs/telemetry';
import { poolOf, watchConnects } from './pool-of.js';

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
  watchConnects(pool, () => {
    const begun = performance.now();
    return () => waitSeconds.observe((performance.now() - begun) / 1_000);
  });
}
