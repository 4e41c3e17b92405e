import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { inTransaction } from '#libs/database';
import { RevisionCopies } from '#libs/redis';
import { AppLogger } from '#libs/telemetry';

/** For services, which only hand it on to repositories. */
export type Transaction = EntityManager;

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
  change<T>(workspaceId: string, work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.changeAnd(workspaceId, 'assets', work);
  }

  /** The same for a change of who reaches what. */
  changeAccess<T>(workspaceId: string, work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.changeAnd(workspaceId, 'access', work);
  }

  private async changeAnd<T>(
    workspaceId: string,
    what: 'assets' | 'access',
    work: (manager: EntityManager) => Promise<T>,
  ): Promise<T> {
    const { result, revision } = await inTransaction(this.database, async (manager) => {
      const done = await work(manager);
      // Last, as it makes the workspace's other changes wait until the commit.
      return { result: done, revision: await raise(manager, workspaceId, what === 'access') };
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

async function raise(manager: EntityManager, workspaceId: string, isOfAccess: boolean): Promise<number> {
  const [row]: { revision: string }[] = await manager.query(
    `insert into metadata.workspace_revision as r (workspace_id, revision, access_revision) values ($1, 1, $2)
     on conflict (workspace_id) do update
       set revision = r.revision + 1, access_revision = r.access_revision + $2 returning revision`,
    [workspaceId, isOfAccess ? 1 : 0],
  );
  return Number(row?.revision);
}
