import { Injectable } from '@nestjs/common';
import { MetricsRegistry } from '#libs/telemetry';
import { RetentionRepository, type EndReason } from './retention.repository.js';

const reasons: readonly EndReason[] = ['age', 'days', 'bytes'];

@Injectable()
export class RetentionMetrics {
  private readonly results;
  private readonly orphans;

  constructor(metrics: MetricsRegistry, repository: RetentionRepository) {
    this.results = metrics.counter({
      name: 'expired_total',
      help: 'Results whose rows have been deleted, by why: age, or more days or bytes than their workspace keeps.',
      labels: ['reason'],
      known: reasons,
    });
    this.orphans = metrics.counter({ name: 'orphans_deleted_total', help: 'Runs whose files no manifest named.' });
    metrics.gauge(
      {
        name: 'kept_bytes',
        help: 'Bytes that all kept results take, as stored, when one process last looked; each tells the same: take the largest.',
      },
      async (gauge) => {
        const bytes = await repository.keptBytes();
        // Until the first look nobody knows; it would tell a zero.
        if (bytes === undefined) gauge.remove();
        else gauge.set(bytes);
      },
    );
  }

  expired(reason: EndReason): void {
    this.results.inc({ reason });
  }

  orphansDeleted(count: number): void {
    this.orphans.inc(count);
  }
}
