import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { AuditRepository, inTransaction } from '#libs/database';
import type { ExecutionChanged } from '#libs/contracts';
import { runColumns, toRun, type RunRow } from '../run/run.row.js';
import { RunRepository } from '../run/run.repository.js';
import type { Run } from '../run/run.types.js';
import { joinableStates } from '../run/transitions.js';
import type { Sight } from './execution.types.js';

export type LeaveOutcome =
  | { readonly kind: 'absent' }
  /** Final, or on its way there: nothing was to be done. */
  | { readonly kind: 'unchanged' }
  /** Others go on with the run. */
  | { readonly kind: 'left'; readonly change: ExecutionChanged }
  /** The last one left, and the run has moved. */
  | { readonly kind: 'moved'; readonly run: Run };

@Injectable()
export class CancelRepository {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly runs: RunRepository,
    private readonly audit: AuditRepository,
  ) {}

  /** Takes one caller out of a run. FOR UPDATE holds off whoever wants to join meanwhile, so the last one is the last. */
  async leave(executionId: string, { workspaceId, callerId }: Sight, byUserId: string): Promise<LeaveOutcome> {
    return inTransaction(this.dataSource, async (manager) => {
      const [found]: { run_id: string; caller_id: string }[] = await manager.query(
        `select run_id, caller_id from orchestrator.execution
         where id = $1 and workspace_id = $2 and ($3::text is null or caller_id = $3)`,
        [executionId, workspaceId, callerId ?? null],
      );
      if (!found) return { kind: 'absent' };
      const run = await lockRun(manager, found.run_id);
      if (!run) return { kind: 'absent' };
      const left = await lookAtCallers(manager, run.id, executionId);
      if (left.hasLeft) return { kind: 'unchanged' };
      const outcome = await this.leaveLocked(manager, run, executionId, left.hasOthers || run.keep);
      if (outcome.kind !== 'unchanged' && found.caller_id !== byUserId) {
        const target = { type: 'execution', id: executionId };
        const after = { submittedById: found.caller_id };
        await this.audit.add(manager, { action: 'execution.canceled_for_another', target, workspaceId, after });
      }
      return outcome;
    });
  }

  private async leaveLocked(
    manager: EntityManager,
    run: Run,
    executionId: string,
    goesOn: boolean,
  ): Promise<LeaveOutcome> {
    if (!joinableStates.some((state) => state === run.state)) return { kind: 'unchanged' };
    if (goesOn) return { kind: 'left', change: await setOwnState(manager, run, executionId) };
    const moved =
      run.state === 'RUNNING'
        ? await this.runs.stopIn(manager, run, 'CANCELED')
        : await this.runs.finishIn(manager, run, 'cancelWaiting');
    if (!moved) throw new Error('a run has moved while its row was locked');
    return { kind: 'moved', run: moved };
  }
}

async function lockRun(manager: EntityManager, id: string): Promise<Run | undefined> {
  const rows: RunRow[] = await manager.query(
    `select ${runColumns} from orchestrator.run r where r.id = $1 for update`,
    [id],
  );
  const [row] = rows;
  return row && toRun(row);
}

async function lookAtCallers(
  manager: EntityManager,
  runId: string,
  executionId: string,
): Promise<{ hasLeft: boolean; hasOthers: boolean }> {
  const [row]: { has_left: boolean; has_others: boolean }[] = await manager.query(
    `select
       exists (select 1 from orchestrator.execution where id = $2 and own_state is not null) as has_left,
       exists (select 1 from orchestrator.execution where run_id = $1 and id <> $2 and own_state is null) as has_others`,
    [runId, executionId],
  );
  return { hasLeft: row?.has_left ?? false, hasOthers: row?.has_others ?? false };
}

async function setOwnState(manager: EntityManager, run: Run, executionId: string): Promise<ExecutionChanged> {
  const version = run.version + 1;
  await manager.query(
    `update orchestrator.execution set own_state = 'CANCELED', own_version = $2, own_finished_at = now(),
       own_finished_xid = pg_current_xact_id(), own_finished_seq = nextval('orchestrator.finished_seq')
     where id = $1`,
    [executionId, version],
  );
  return {
    executionId,
    runId: run.id,
    workspaceId: run.workspaceId,
    state: 'CANCELED',
    version,
    changedAt: run.changedAt,
  };
}
