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

  /**
   * The ids of all executions whose statement is at its source. Runs are no more than there are slots, but any number may share one, and
   * no index has those of a run in an order: pages of it would each read all of them.
   */
  async running(): Promise<string[]> {
    const rows: { id: string }[] = await this.database.query(
      `select e.id from orchestrator.run r join orchestrator.execution e on e.run_id = r.id
       where r.state = 'RUNNING' and e.own_state is null`,
    );
    return rows.map(({ id }) => id);
  }

  /** Those of them that still are. */
  async find(ids: readonly string[]): Promise<RunningExecution[]> {
    const rows: Row[] = await this.database.query(
      `select e.id, e.workspace_id as "workspaceId", e.caller_id as "callerId",
         coalesce(e.account_id, r.user_id) as "accountId", r.source_id as "dataSourceId", e.saved_query_id as "savedQueryId"
       from orchestrator.execution e join orchestrator.run r on r.id = e.run_id
       where e.id = any ($1) and r.state = 'RUNNING' and e.own_state is null`,
      [ids],
    );
    return rows.map((row) => ({ ...row, savedQueryId: row.savedQueryId ?? undefined }));
  }
}
