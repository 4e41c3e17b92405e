import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { inTransaction } from '#libs/database';
import { RevisionCopies } from '#libs/redis';
import { AppLogger } from '#libs/telemetry';

/** The revision of a workspace's assets: data sources, saved queries, policies. It grows with every change of any of them. */
@Injectable()
export class WorkspaceRevisions {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly copies: RevisionCopies,
    private readonly logger: AppLogger,
  ) {}

  /**
   * Does `work` in a transaction that raises the revision. When it resolves, whoever asks from now on is answered by what
   * is there now; where Redis did not take the copy, within the few seconds for which others keep what they have.
   */
  async change<T>(workspaceId: string, work: (manager: EntityManager) => Promise<T>): Promise<T> {
    const { result, revision } = await inTransaction(this.database, async (manager) => {
      const done = await work(manager);
      // Last, as it makes the workspace's other changes wait until the commit.
      return { result: done, revision: await raise(manager, workspaceId) };
    });
    await this.copies
      .raise(workspaceId, 'metadata', revision)
      .catch((err: unknown) => this.logger.warn({ err, workspaceId }, 'a change is seen elsewhere a few seconds late'));
    return result;
  }

  /** As it is now; what is read after it is at least as new. */
  async now(workspaceId: string): Promise<number> {
    const [row]: { revision: string }[] = await this.database.query(
      'select revision from metadata.workspace_revision where workspace_id = $1',
      [workspaceId],
    );
    return Number(row?.revision ?? 0);
  }
}

async function raise(manager: EntityManager, workspaceId: string): Promise<number> {
  const [row]: { revision: string }[] = await manager.query(
    `insert into metadata.workspace_revision as r (workspace_id, revision) values ($1, 1)
     on conflict (workspace_id) do update set revision = r.revision + 1 returning revision`,
    [workspaceId],
  );
  return Number(row?.revision);
}
