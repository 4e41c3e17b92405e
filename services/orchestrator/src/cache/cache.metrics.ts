import { Injectable } from '@nestjs/common';
import type { Execution } from '#libs/contracts';
import { MetricsRegistry } from '#libs/telemetry';

const ageBuckets = [1, 10, 60, 300, 900, 3_600, 21_600, 86_400];

/** How questions are answered, and how old what they are answered with. The hit ratio is one of the counters over all. */
@Injectable()
export class CacheMetrics {
  private readonly answers;
  private readonly ageSeconds;
  private readonly invalidated;

  constructor(metrics: MetricsRegistry) {
    this.answers = metrics.counter({
      name: 'cache_answers_total',
      help: 'Executions by how the cache answered: HIT, STALE, SHARED, MISS or BYPASS.',
      labels: ['status'],
    });
    this.ageSeconds = metrics.histogram(
      { name: 'cache_age_seconds', help: 'Age of kept results when they answered.' },
      ageBuckets,
    );
    this.invalidated = metrics.counter({
      name: 'cache_invalidated_results_total',
      help: 'Kept results that an invalidation has ended.',
    });
  }

  answered({ cacheStatus, cacheAgeSeconds }: Pick<Execution, 'cacheStatus' | 'cacheAgeSeconds'>): void {
    this.answers.inc({ status: cacheStatus });
    if (cacheAgeSeconds !== undefined) this.ageSeconds.observe(cacheAgeSeconds);
  }

  hasInvalidated(count: number): void {
    this.invalidated.inc(count);
  }
}
