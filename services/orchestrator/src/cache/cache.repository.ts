import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { AuditRepository, inTransaction } from '#libs/database';
import { askForWarmUp, type WarmUpWish } from '../warm-up/warm-up.repository.js';

const countedMax = 100_000;

@Injectable()
export class CacheRepository {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly audit: AuditRepository,
  ) {}

  /**
   * Gives the subjects a new revision: no run that began before it answers any more. The number is taken when this is
   * asked, so a run that begins while the transaction is still open is younger, as it should be.
   * @returns how many kept results that concerns
   */
  async invalidate(
    workspaceId: string,
    subjects: readonly string[],
    keptSeconds: number,
    warmUp: WarmUpWish | undefined,
  ): Promise<number> {
    return inTransaction(this.dataSource, async (manager) => {
      const [row]: { revision: string }[] = await manager.query(
        `select nextval('orchestrator.cache_revision_seq') as revision`,
      );
      const revision = row?.revision;
      const [counted]: { count: string }[] = await manager.query(
        `select count(*) as count from (
           select 1 from orchestrator.run r
           where r.workspace_id = $1 and r.state = 'SUCCEEDED' and r.finished_seq is not null
             and r.finished_at > now() - make_interval(secs => $4)
             and r.cache_subjects && $2 and r.cache_revision < $3 and not orchestrator.is_invalidated(r)
           limit ${countedMax}) kept`,
        [workspaceId, subjects, revision, keptSeconds],
      );
      await manager.query(
        `insert into orchestrator.cache_revision as c (workspace_id, subject, revision)
         select $1, subject, $3 from unnest($2::text[]) subject order by subject
         on conflict (workspace_id, subject) do update set revision = greatest(c.revision, excluded.revision)`,
        [workspaceId, subjects, revision],
      );
      // Within the invalidation, so that neither is there without the other.
      if (warmUp) await askForWarmUp(manager, workspaceId, revision, warmUp);
      const invalidatedCount = Number(counted?.count ?? 0);
      await this.audit.add(manager, {
        action: 'cache.invalidated',
        target: { type: 'cache', id: workspaceId },
        workspaceId,
        after: { subjects: subjects.slice(0, 50), subjectCount: subjects.length, invalidatedCount },
      });
      return invalidatedCount;
    });
  }
}
