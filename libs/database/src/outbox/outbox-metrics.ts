import { shareAnswer, type MetricsRegistry } from '#libs/telemetry';
import type { OutboxStore } from './outbox.store.js';

/** How many events wait to be told, and for how long; asked at each scrape. */
export function measureOutbox(outbox: OutboxStore, metrics: MetricsRegistry): void {
  const backlog = shareAnswer(() => outbox.backlog());
  metrics.gauge(
    { name: 'outbox_oldest_seconds', help: 'Age of the oldest event that is not told yet.' },
    async (gauge) => gauge.set((await backlog()).oldestSeconds),
  );
  metrics.gauge({ name: 'outbox_messages', help: 'Events that are not told yet.' }, async (gauge) =>
    gauge.set((await backlog()).unpublished),
  );
}
