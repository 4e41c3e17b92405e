import { Injectable } from '@nestjs/common';
import type { StoredPage } from '#libs/contracts';
import { MetricsRegistry } from '#libs/telemetry';
import type { Refusal } from './refusal.js';
import type { NewSeal } from './writing.types.js';

/** What is taken and what is not. */
@Injectable()
export class WritingMetrics {
  private readonly pages;
  private readonly rows;
  private readonly bytes;
  private readonly seals;
  private readonly refusals;

  constructor(metrics: MetricsRegistry) {
    this.pages = metrics.counter({ name: 'pages_committed_total', help: 'Stored pages made readable.' });
    this.rows = metrics.counter({ name: 'rows_committed_total', help: 'Rows made readable, inline or in pages.' });
    this.bytes = metrics.counter({ name: 'committed_bytes_total', help: 'Bytes made readable, as stored.' });
    this.seals = metrics.counter({ name: 'seals_total', help: 'Results completed.', labels: ['kind'] });
    this.refusals = metrics.counter({
      name: 'refusals_total',
      help: 'Pages and seals that were not taken, because they had been before or the run was closed to them.',
      labels: ['what', 'reason'],
    });
  }

  pageTaken(page: StoredPage): void {
    this.pages.inc();
    this.rows.inc(page.rowCount);
    this.bytes.inc(page.byteCount);
  }

  sealed(seal: NewSeal): void {
    this.seals.inc({ kind: seal.inline ? 'inline' : 'paged' });
    if (!seal.inline) return;
    this.rows.inc(seal.rowCount);
    this.bytes.inc(seal.inline.byteLength);
  }

  refused(what: 'page' | 'seal', reason: Refusal): void {
    this.refusals.inc({ what, reason });
  }
}
