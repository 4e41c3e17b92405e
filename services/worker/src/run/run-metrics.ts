import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { MetricsRegistry } from '#libs/telemetry';
import type { WorkerConfig } from '../worker.config.js';
import { HeldRuns } from './held-runs.js';

@Injectable()
export class RunMetrics {
  readonly executionSeconds;
  readonly rows;
  readonly bytes;
  readonly connectSeconds;
  readonly firstRowSeconds;

  constructor(metrics: MetricsRegistry, held: HeldRuns, @InjectConfig() config: WorkerConfig) {
    this.executionSeconds = metrics.histogram({
      name: 'execution_seconds',
      help: 'Time from taking a job to its end, by how it ended.',
      labels: ['source_type', 'outcome'],
    });
    this.connectSeconds = metrics.histogram({
      name: 'source_connect_seconds',
      help: 'Time to a session at the source that is ready for its statement.',
      labels: ['source_type', 'outcome'],
    });
    this.firstRowSeconds = metrics.histogram({
      name: 'source_first_row_seconds',
      help: 'Time from sending a statement to the columns of its result.',
      labels: ['source_type'],
    });
    this.rows = metrics.counter({ name: 'rows_total', help: 'Rows that were read and kept.', labels: ['source_type'] });
    this.bytes = metrics.counter({
      name: 'result_bytes_total',
      help: 'Bytes of JSON of the rows that were read and kept.',
      labels: ['source_type'],
    });
    metrics.gauge({ name: 'slots', help: 'How many runs this worker can hold at once.' }).set(config.run.slots);
    metrics.gauge({ name: 'slots_in_use', help: 'How many runs this worker holds.' }, (gauge) => gauge.set(held.count));
  }
}
