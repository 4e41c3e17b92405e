import type { Execution, Manifest, RunState, StoredPage } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { encodePage, type PageStore } from '#libs/result-store';

export const workspaceId = newId('workspace');
export const userId = newId('user');
export const sourceId = newId('dataSource');

/** A run that the fake orchestrator and results serve, and that a test moves on. */
export class FakeRun {
  readonly execution: Execution;
  readonly pages: StoredPage[] = [];
  rowCount = 0;
  /** How often somebody who asked where rows lie was told of pages. */
  timesFound = 0;
  expiresAt: Date | undefined;
  /** Whoever asks has left the run, and others go on with it. */
  goesOnForOthers = false;

  constructor(private readonly store: PageStore) {
    this.execution = {
      id: newId('execution'),
      workspaceId,
      runId: newId('run'),
      fence: 1,
      state: 'QUEUED',
      version: 1,
      dataSourceId: sourceId,
      sql: 'select 1',
      priority: 'INTERACTIVE',
      submittedById: userId,
      submittedAt: new Date('2026-01-01T00:00:00Z'),
      rows: 0,
      bytes: 0,
      cacheStatus: 'MISS',
      attempts: 1,
    };
  }

  get isFinal(): boolean {
    return ['SUCCEEDED', 'FAILED', 'CANCELED', 'TIMED_OUT'].includes(this.execution.state);
  }

  get manifest(): Manifest {
    return {
      runId: this.execution.runId,
      workspaceId,
      fence: 1,
      state: this.isFinal && !this.goesOnForOthers ? 'COMPLETE' : 'WRITING',
      columns: [
        { name: 'n', type: 'INTEGER', nullable: false },
        { name: 'carrier', type: 'TEXT', nullable: true },
      ],
      rowCount: this.rowCount,
      byteCount: this.rowCount * 10,
      truncated: false,
      inline: this.inline,
      expiresAt: this.expiresAt,
    };
  }

  /** The pages that hold some of these rows. */
  locate(fromRow: number, rowCount: number): StoredPage[] {
    const found = this.pages.filter(
      (page) => page.firstRow + page.rowCount > fromRow && page.firstRow < fromRow + rowCount,
    );
    if (found.length > 0) this.timesFound += 1;
    return found;
  }

  private inline: Uint8Array | undefined;

  private newRows(count: number): string[] {
    return Array.from({ length: count }, (_, index) => JSON.stringify([this.rowCount + index, 'ž\u2028"']));
  }

  /** Rows as a run commits them, in a page of the store. */
  async commitRows(count: number, row?: string): Promise<void> {
    const { runId, fence } = this.execution;
    const number = this.pages.length;
    const bytes = await encodePage(row === undefined ? this.newRows(count) : [row]);
    const stored = await this.store.put({ workspaceId, runId, fence, page: number }, bytes);
    this.pages.push({ number, firstRow: this.rowCount, rowCount: count, ...stored });
    this.rowCount += count;
  }

  /** Rows so few that they travel with the manifest. */
  async sealInline(count: number): Promise<void> {
    const { workspaceId, runId, fence } = this.execution;
    const page = await encodePage(this.newRows(count));
    this.inline = await this.store.sealInline({ workspaceId, runId, fence }, page);
    this.rowCount = count;
  }

  move(state: RunState): void {
    this.execution.state = state;
    this.execution.version += 1;
    if (state === 'RUNNING') this.execution.startedAt = new Date('2026-01-01T00:00:01Z');
    if (this.isFinal) this.execution.finishedAt = new Date('2026-01-01T00:00:02Z');
  }
}
