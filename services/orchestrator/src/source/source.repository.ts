import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import type { DataSourceChanged } from '#libs/contracts';
import { inTransaction, InboxRepository } from '#libs/database';
import { endedTryColumns } from '../run/run.row.js';
import type { EndedTry } from '../run/run.types.js';

interface Limits {
  readonly id: string;
  readonly workspaceId: string;
  /** Absent where an older release tells of it. */
  readonly type?: string | undefined;
  readonly version: number;
  readonly maxConcurrentExecutions: number;
  readonly paused: boolean;
}

/** What the dispatcher must know of a source: its limit and if it is paused. The newest version wins, whoever tells it. */
@Injectable()
export class SourceRepository {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly inbox: InboxRepository,
  ) {}

  /** Takes a change over, once. @returns true where it is news */
  async take(change: DataSourceChanged, messageId: string): Promise<boolean> {
    return inTransaction(this.dataSource, async (manager) => {
      if (!(await this.inbox.once(manager, messageId))) return false;
      await rememberSource(manager, { ...change, id: change.dataSourceId }, change.deleted);
      return true;
    });
  }

  /** Runs of a source that have not begun there. */
  async findWaiting(sourceId: string, limit: number): Promise<EndedTry[]> {
    return this.dataSource.query(
      `select ${endedTryColumns} from orchestrator.run 
       where source_id = $1 and source_id > '' and state in ('QUEUED', 'DISPATCHED') limit $2`,
      [sourceId, limit],
    );
  }
}

/** Writes nothing where this version or a newer one is known, so that equal submits do not queue up for one row. */
export async function rememberSource(manager: EntityManager, source: Limits, isDeleted = false): Promise<void> {
  await manager.query(
    `insert into orchestrator.source as s (id, workspace_id, version, max_concurrent_executions, paused, deleted, type)
     select $1, $2, $3, $4, $5, $6, $7
     where not exists (
       select 1 from orchestrator.source k where k.id = $1 and (k.deleted or (k.version >= $3 and not $6)))
     on conflict (id) do update set
       version = greatest(s.version, excluded.version),
       max_concurrent_executions = excluded.max_concurrent_executions,
       paused = excluded.paused,
       deleted = excluded.deleted,
       type = coalesce(excluded.type, s.type)
     where not s.deleted and (s.version < excluded.version or excluded.deleted)`,
    [
      ...[source.id, source.workspaceId, source.version, source.maxConcurrentExecutions, source.paused, isDeleted],
      source.type || null,
    ],
  );
}
