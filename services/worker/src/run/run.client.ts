import { Injectable } from '@nestjs/common';
import {
  resultsRequests,
  runRequests,
  type Column,
  type RequestOf,
  type ResponseOf,
  type RunPlan,
  type SourceHandle,
  type StoredPage,
} from '#libs/contracts';
import { BusClient } from '#libs/bus';
import { RepeatingRequests } from './repeating-requests.js';

export type RunOutcome = RequestOf<typeof runRequests.finishRun>['outcome'];

/** The end of a result: what it holds, and the rows themselves where they are few. */
export type Seal = Pick<
  RequestOf<typeof resultsRequests.sealResult>,
  'columns' | 'rowCount' | 'byteCount' | 'truncated' | 'pageCount' | 'inline'
>;

/** What a worker asks of the services that own its run and its result. */
@Injectable()
export class RunClient {
  constructor(
    private readonly requests: RepeatingRequests,
    private readonly bus: BusClient,
  ) {}

  claim(plan: RunPlan, handle: SourceHandle): Promise<ResponseOf<typeof runRequests.claimRun>> {
    const { runId, fence } = plan;
    return this.requests.ask(
      runRequests.claimRun,
      { runId, fence, workerId: this.bus.instance, handle },
      plan,
      'claim',
    );
  }

  finish(plan: RunPlan, outcome: RunOutcome): Promise<ResponseOf<typeof runRequests.finishRun>> {
    const { runId, fence } = plan;
    return this.requests.ask(runRequests.finishRun, { runId, fence, outcome }, plan, 'finish');
  }

  /** Makes a page readable; false where the run is no longer this worker's. */
  async commitPage(plan: RunPlan, page: StoredPage, columns: Column[]): Promise<boolean> {
    const { workspaceId, runId, fence } = plan;
    const input = { workspaceId, runId, fence, page, columns };
    return (await this.requests.ask(resultsRequests.commitPage, input, plan, `page-${page.number}`)).accepted;
  }

  /** Ends the result; false where the run is no longer this worker's. */
  async seal(plan: RunPlan, seal: Seal): Promise<boolean> {
    const { workspaceId, runId, fence } = plan;
    const input = { workspaceId, runId, fence, ...seal };
    return (await this.requests.ask(resultsRequests.sealResult, input, plan, 'seal')).accepted;
  }
}
