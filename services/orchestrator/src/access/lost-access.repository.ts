import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';

/** An execution whose statement is at its source. */
export interface RunningExecution {
  readonly id: string;
  readonly runId: string;
  readonly workspaceId: string;
  readonly callerId: string;
  /** Whose use it counts as: of a guest, the service account's that let it in. */
  readonly accountId: string;
  readonly dataSourceId: string;
  readonly savedQueryId: string | undefined;
}

type Row = Omit<RunningExecution, 'savedQueryId'> & { readonly savedQueryId: string | null };

/** Behind which execution a page begins. */
export type PlaceInRunning = Pick<RunningExecution, 'id' | 'runId'>;

const start: PlaceInRunning = { id: '', runId: '' };

@Injectable()
export class LostAccessRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** Runs are no more than there are slots, but any number may share one: a page holds `limit` executions, those of a run together. */
  async running(limit: number, { runId, id }: PlaceInRunning = start): Promise<RunningExecution[]> {
    const rows: Row[] = await this.database.query(
      `select e.id, r.id as "runId", e.workspace_id as "workspaceId", e.caller_id as "callerId",
         coalesce(e.account_id, r.user_id) as "accountId", r.source_id as "dataSourceId", e.saved_query_id as "savedQueryId"
       from orchestrator.run r join orchestrator.execution e on e.run_id = r.id
       where r.state = 'RUNNING' and e.own_state is null and r.id >= $1 and (r.id, e.id) > ($1, $2)
       order by r.id, e.id limit $3`,
      [runId, id, limit],
    );
    return rows.map((row) => ({ ...row, savedQueryId: row.savedQueryId ?? undefined }));
  }
}
