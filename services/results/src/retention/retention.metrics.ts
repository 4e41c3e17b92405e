import { Injectable } from '@nestjs/common';
import { MetricsRegistry } from '#libs/telemetry';

@Injectable()
export class RetentionMetrics {
  private readonly results;
  private readonly orphans;

  constructor(metrics: MetricsRegistry) {
    this.results = metrics.counter({ name: 'expired_total', help: 'Results whose rows have been deleted.' });
    this.orphans = metrics.counter({ name: 'orphans_deleted_total', help: 'Runs whose files no manifest named.' });
  }

  expired(count: number): void {
    this.results.inc(count);
  }

  orphansDeleted(count: number): void {
    this.orphans.inc(count);
  }
}
