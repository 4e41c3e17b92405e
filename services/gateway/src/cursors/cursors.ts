import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { InjectConfig } from '#libs/config';
import type { FinishedPosition } from '#libs/contracts';
import type { GatewayConfig } from '../gateway.config.js';
import { CursorTokens } from './cursor-tokens.js';

const count = z.number().int().nonnegative();

/** Where the events of one execution go on: what has been told so far. */
export interface ExecutionPosition {
  readonly workspaceId: string;
  readonly executionId: string;
  readonly includeRows: boolean;
  readonly runId: string;
  readonly fence: number;
  readonly version: number;
  readonly nextRow: number;
}

/** The three cursors that the gateway makes itself. None names anything of Redis, so each is good on any gateway. */
@Injectable()
export class Cursors {
  private readonly rows;
  private readonly executionEvents;
  private readonly finished;

  constructor(@InjectConfig() { cursorKeys }: Pick<GatewayConfig, 'cursorKeys'>) {
    this.rows = new CursorTokens(cursorKeys, 'rows', 'result', z.tuple([z.string(), count]));
    this.executionEvents = new CursorTokens(
      cursorKeys,
      'executionEvents',
      'execution with this includeRows',
      z.tuple([z.string(), z.string(), z.boolean(), z.string(), count, count, count]),
    );
    this.finished = new CursorTokens(
      cursorKeys,
      'executionsFinished',
      'subscription and this caller',
      // Of the release before, and of places that are behind all of their number: without an execution.
      z.tuple([z.string(), z.string(), z.string(), z.number().int()]).rest(z.string()),
    );
  }

  row(resultId: string, nextRow: number): string {
    return this.rows.encode([resultId, nextRow]);
  }

  /** The row that a RowCursor goes on from. */
  readRow(token: string, path: string, resultId: string): number {
    return this.rows.decode(token, path, ([result]) => result === resultId)[1];
  }

  executionEvent(at: ExecutionPosition): string {
    const { workspaceId, executionId, includeRows, runId, fence, version, nextRow } = at;
    return this.executionEvents.encode([workspaceId, executionId, includeRows, runId, fence, version, nextRow]);
  }

  readExecutionEvent(
    token: string,
    expected: Pick<ExecutionPosition, 'workspaceId' | 'executionId' | 'includeRows' | 'runId'>,
  ): ExecutionPosition {
    const [, , , , fence, version, nextRow] = this.executionEvents.decode(
      token,
      'after',
      ([workspaceId, executionId, includeRows, runId]) =>
        workspaceId === expected.workspaceId &&
        executionId === expected.executionId &&
        includeRows === expected.includeRows &&
        runId === expected.runId,
    );
    return { ...expected, fence, version, nextRow };
  }

  finishedEvent(workspaceId: string, callerId: string, { xid, sequence, executionId }: FinishedPosition): string {
    // Executions that share a run share its number: without its own id the next of them would be passed over.
    return this.finished.encode([workspaceId, callerId, xid, sequence, ...(executionId ? [executionId] : [])]);
  }

  readFinishedEvent(token: string, workspaceId: string, callerId: string): FinishedPosition {
    const [, , xid, sequence, executionId] = this.finished.decode(
      token,
      'after',
      ([workspace, caller]) => workspace === workspaceId && caller === callerId,
    );
    return { xid, sequence, ...(executionId ? { executionId } : {}) };
  }
}
