import type { Column, RunPlan, StoredPage } from '#libs/contracts';
import type { RunClient, RunOutcome, Seal } from '../src/run/run.client.js';

/** The orchestrator and the results service as this worker sees them, in the order in which they were asked. */
export class RecordingClient implements Pick<RunClient, 'claim' | 'finish' | 'commitPage' | 'seal'> {
  readonly asked: string[] = [];
  readonly pages: { page: StoredPage; columns: Column[] }[] = [];
  /** Whose result was sealed. */
  plan: RunPlan | undefined;
  sealed: Seal | undefined;
  outcome: RunOutcome | undefined;
  timeoutMs = 30_000;
  grants = true;
  pagesAccepted = Infinity;
  accepts = true;
  onPage: () => Promise<void> = async () => undefined;

  async claim(): Promise<{ granted: boolean; timeoutMs: number }> {
    this.asked.push('claim');
    return { granted: this.grants, timeoutMs: this.timeoutMs };
  }

  async commitPage(_plan: RunPlan, page: StoredPage, columns: Column[]): Promise<boolean> {
    this.asked.push(`page ${page.number}`);
    await this.onPage();
    if (this.pages.length >= this.pagesAccepted) return false;
    this.pages.push({ page, columns });
    return true;
  }

  async seal(plan: RunPlan, seal: Seal): Promise<boolean> {
    this.asked.push('seal');
    this.plan = plan;
    this.sealed = seal;
    return this.accepts;
  }

  async finish(_plan: RunPlan, outcome: RunOutcome): Promise<{ accepted: boolean; state: 'SUCCEEDED' }> {
    this.asked.push('finish');
    this.outcome = outcome;
    return { accepted: true, state: 'SUCCEEDED' };
  }
}
