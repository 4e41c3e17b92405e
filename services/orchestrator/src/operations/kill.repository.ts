import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { AuditRepository, inTransaction } from '#libs/database';
import { RunRepository } from '../run/run.repository.js';
import { runColumns, toRun, type RunRow } from '../run/run.row.js';
import type { Run } from '../run/run.types.js';
import { joinableStates } from '../run/transitions.js';

type KillOutcome =
  { readonly kind: 'absent' } | { readonly kind: 'ended' } | { readonly kind: 'moved'; readonly run: Run };

/** Ends a run, whoever waits for it. */
@Injectable()
export class KillRepository {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly runs: RunRepository,
    private readonly audit: AuditRepository,
  ) {}

  async kill(executionId: string, workspaceId: string): Promise<KillOutcome> {
    return inTransaction(this.dataSource, async (manager) => {
      const [row]: (RunRow & { caller_id: string })[] = await manager.query(
        `select ${runColumns}, e.caller_id from orchestrator.execution e join orchestrator.run r on r.id = e.run_id
         where e.id = $1 and e.workspace_id = $2 for update of r`,
        [executionId, workspaceId],
      );
      if (!row) return { kind: 'absent' };
      const run = toRun(row);
      if (!joinableStates.some((state) => state === run.state)) return { kind: 'ended' };
      const moved =
        run.state === 'RUNNING'
          ? await this.runs.stopIn(manager, run, 'CANCELED')
          : await this.runs.finishIn(manager, run, 'cancelWaiting');
      if (!moved) throw new Error('a run has moved while its row was locked');
      const target = { type: 'execution', id: executionId };
      const after = { runId: run.id, submittedById: row.caller_id };
      await this.audit.add(manager, { action: 'execution.killed', target, workspaceId, after });
      return { kind: 'moved', run: moved };
    });
  }
}
