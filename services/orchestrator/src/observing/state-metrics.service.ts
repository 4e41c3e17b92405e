import { Injectable } from '@nestjs/common';
import { MetricsRegistry, shareAnswer } from '#libs/telemetry';
import { StateRepository, type StateCount } from './state.repository.js';

const runStates = ['QUEUED', 'DISPATCHED', 'RUNNING', 'CANCELING'] as const;
const workerStates = ['live', 'draining', 'lost'] as const;

/**
 * What PostgreSQL holds of unfinished runs and of workers, asked at each scrape. Every instance tells the same: take the
 * largest, not the sum.
 */
@Injectable()
export class StateMetrics {
  private readonly ask;

  constructor(
    metrics: MetricsRegistry,
    private readonly repository: StateRepository,
  ) {
    this.ask = shareAnswer(() => this.repository.runs());
    const stuck = 'Runs in a state a minute longer than they may be; the reaper should have ended them.';
    for (const [name, help, of] of [
      ['runs', 'Unfinished runs, by state.', (row: StateCount) => row.runs],
      ['stuck_runs', stuck, (row: StateCount) => row.stuck],
    ] as const) {
      metrics.gauge({ name, help, labels: ['state'] }, async (gauge) => {
        const rows = await this.byState();
        for (const state of runStates) {
          const row = rows.get(state);
          gauge.set({ state }, row ? of(row) : 0);
        }
      });
    }
    metrics.gauge({ name: 'queue_oldest_seconds', help: 'How long the oldest queued run waits.' }, async (gauge) => {
      gauge.set((await this.byState()).get('QUEUED')?.oldestSeconds ?? 0);
    });
    metrics.gauge(
      {
        name: 'workers',
        help: 'Workers: live, draining, or lost without a word in the last ten minutes.',
        labels: ['state'],
      },
      async (gauge) => {
        const found = new Map((await this.repository.workers()).map(({ state, workers }) => [state, workers]));
        for (const state of workerStates) gauge.set({ state }, found.get(state) ?? 0);
      },
    );
  }

  private async byState(): Promise<ReadonlyMap<string, StateCount>> {
    return new Map((await this.ask()).map((row) => [row.state, row]));
  }
}
