import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';

const leaseSeconds = 60;
/** Sources, tags and queries that one workspace can have waiting; beyond that its warm-ups are less complete. */
const subjectsMax = 5_000;

/** What saved queries may stand on that is invalidated now. */
export interface WarmUpWish {
  readonly subjects: readonly string[];
  readonly delaySeconds: number;
}

/** All that a workspace has had invalidated since it was last warmed up. */
export interface DueWarmUp {
  readonly workspaceId: string;
  readonly subjects: readonly string[];
  /** The saved queries that have been run again already. */
  readonly done: readonly string[];
  /** Of the last invalidation; a later one gives another. */
  readonly revision: string;
  readonly ageSeconds: number;
}

/** Notes it with the invalidation. What waits already is joined, so that many invalidations make one warm-up. */
export async function askForWarmUp(
  manager: EntityManager,
  workspaceId: string,
  revision: string | undefined,
  { subjects, delaySeconds }: WarmUpWish,
): Promise<void> {
  await manager.query(
    `insert into orchestrator.warm_up as w (workspace_id, subjects, revision, due_at)
     values ($1, $2, $3, now() + make_interval(secs => $4))
     on conflict (workspace_id) do update set
       subjects = array(select distinct s from unnest(w.subjects || excluded.subjects) s limit ${subjectsMax}),
       done = '{}', revision = greatest(w.revision, excluded.revision), asked_at = now(),
       due_at = case when w.leased_until > now() then excluded.due_at else least(w.due_at, excluded.due_at) end`,
    [workspaceId, subjects, revision, delaySeconds],
  );
}

/** Warm-ups that are due. One orchestrator has each for a while; where it dies, another takes it from the beginning. */
@Injectable()
export class WarmUpRepository {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  async claim(): Promise<DueWarmUp | undefined> {
    const [rows]: [DueWarmUp[], number] = await this.dataSource.query(
      `update orchestrator.warm_up set leased_until = now() + interval '${leaseSeconds} s'
       where workspace_id = (
         select workspace_id from orchestrator.warm_up
         where due_at <= now() and (leased_until is null or leased_until <= now())
         order by due_at limit 1 for update skip locked)
       returning workspace_id as "workspaceId", subjects, done, revision,
         extract(epoch from now() - asked_at)::double precision as "ageSeconds"`,
    );
    return rows[0];
  }

  /** It is over, unless something was invalidated meanwhile. */
  async finish({ workspaceId, revision }: DueWarmUp): Promise<void> {
    await this.dataSource.query(`delete from orchestrator.warm_up where workspace_id = $1 and revision = $2`, [
      workspaceId,
      revision,
    ]);
    // A statement of its own: an invalidation that the first has waited for is seen by the next.
    await this.dataSource.query(
      `update orchestrator.warm_up set leased_until = null where workspace_id = $1 and revision <> $2`,
      [workspaceId, revision],
    );
  }

  /** The rest is for later. What was invalidated meanwhile begins anew, as it wants to. */
  async postpone({ workspaceId, revision }: DueWarmUp, done: readonly string[], seconds: number): Promise<void> {
    await this.dataSource.query(
      `update orchestrator.warm_up set leased_until = null,
         done = case when revision = $2 then $3 else done end,
         due_at = case when revision = $2 then now() + make_interval(secs => $4) else due_at end
       where workspace_id = $1`,
      [workspaceId, revision, done, seconds],
    );
  }
}
