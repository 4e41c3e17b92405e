import type { MetricsRegistry } from '#libs/telemetry';
import type { OutboxStore } from './outbox.store.js';

/** How many events wait to be told, and for how long; asked at each scrape. */
export function measureOutbox(outbox: OutboxStore, metrics: MetricsRegistry): void {
  const oldest = metrics.gauge({
    name: 'outbox_oldest_seconds',
    help: 'Age of the oldest event that is not told yet.',
  });
  metrics.gauge({ name: 'outbox_messages', help: 'Events that are not told yet.' }, async (gauge) => {
    try {
      const { unpublished, oldestSeconds } = await outbox.backlog();
      gauge.set(unpublished);
      oldest.set(oldestSeconds);
    } catch {
      // The other metrics are worth most while the database is away; its absence shows in readiness.
      gauge.remove();
      oldest.remove();
    }
  });
}
