import { Injectable } from '@nestjs/common';
import { MetricsRegistry } from '#libs/telemetry';
import type { DownloadFormat } from './download-choice.js';
import { DownloadSlots } from './download-slots.js';

/** aborted: the client left, was too slow or lost its right. failed: we could not go on. refused: nothing was sent. */
export type DownloadOutcome = 'completed' | 'aborted' | 'failed' | 'refused';

/** Downloads by format and how they ended, with their bytes and how long they took. */
@Injectable()
export class DownloadMetrics {
  private readonly downloads;
  private readonly bytes;
  private readonly seconds;

  constructor(metrics: MetricsRegistry, slots: DownloadSlots) {
    this.downloads = metrics.counter({
      name: 'downloads_total',
      help: 'Downloads, by how they ended.',
      labels: ['format', 'outcome'],
    });
    this.bytes = metrics.counter({
      name: 'download_bytes_total',
      help: 'Bytes of downloads as they were sent, packed or not.',
      labels: ['format'],
    });
    this.seconds = metrics.histogram({
      name: 'download_seconds',
      help: 'Time of a download that was begun, to its end.',
      labels: ['format'],
    });
    metrics.gauge({ name: 'downloads_under_way', help: 'Downloads under way.' }, (gauge) => gauge.set(slots.count));
  }

  sent(format: DownloadFormat, bytes: number): void {
    this.bytes.inc({ format }, bytes);
  }

  ended(format: DownloadFormat | 'unknown', outcome: DownloadOutcome, seconds?: number): void {
    this.downloads.inc({ format, outcome });
    if (seconds !== undefined) this.seconds.observe({ format }, seconds);
  }
}
