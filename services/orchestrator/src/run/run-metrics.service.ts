import { Injectable } from '@nestjs/common';
import { MetricsRegistry } from '#libs/telemetry';
import { priorityOfClass, type Run } from './run.types.js';
import { isFinal } from './transitions.js';

/** How long runs wait and take. */
@Injectable()
export class RunMetrics {
  private readonly waitSeconds;
  private readonly executionSeconds;
  private readonly retries;

  constructor(metrics: MetricsRegistry) {
    this.waitSeconds = metrics.histogram({
      name: 'queue_wait_seconds',
      help: 'From the queue to the claim by a worker.',
      labels: ['priority'],
    });
    this.executionSeconds = metrics.histogram({
      name: 'execution_seconds',
      help: 'From the first wish for a run to its end.',
      labels: ['state', 'priority'],
    });
    this.retries = metrics.counter({ name: 'retries_total', help: 'Runs that were queued for another try.' });
  }

  observe(run: Run): void {
    const priority = priorityOfClass[run.class];
    if (isFinal(run.state)) this.executionSeconds.observe({ state: run.state, priority }, run.ageSeconds);
    if (run.state === 'RUNNING' && run.waitedSeconds !== undefined) {
      this.waitSeconds.observe({ priority }, run.waitedSeconds);
    }
    if (run.state === 'QUEUED' && run.attempts > 0) this.retries.inc();
  }
}
