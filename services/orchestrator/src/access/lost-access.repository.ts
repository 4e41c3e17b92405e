import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';

/** An execution whose statement is at its source. */
export interface RunningExecution {
  readonly id: string;
  readonly workspaceId: string;
  readonly callerId: string;
  /** Whose use it counts as: of a guest, the service account's that let it in. */
  readonly accountId: string;
  readonly dataSourceId: string;
  readonly savedQueryId: string | undefined;
}

type Row = Omit<RunningExecution, 'savedQueryId'> & { readonly savedQueryId: string | null };

@Injectable()
export class LostAccessRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** No more of them than there are slots, but for those who share a run. */
  async running(): Promise<RunningExecution[]> {
    const rows: Row[] = await this.database.query(
      `select e.id, e.workspace_id as "workspaceId", e.caller_id as "callerId", coalesce(e.account_id, r.user_id) as "accountId",
         r.source_id as "dataSourceId", e.saved_query_id as "savedQueryId"
       from orchestrator.run r join orchestrator.execution e on e.run_id = r.id
       where r.state = 'RUNNING' and e.own_state is null`,
    );
    return rows.map((row) => ({ ...row, savedQueryId: row.savedQueryId ?? undefined }));
  }
}
