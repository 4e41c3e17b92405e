import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { InjectConfig } from '#libs/config';
import type { RunPlan } from '#libs/contracts';
import { inTransaction, queryPrepared } from '#libs/database';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { assignments } from '../run/run-move.repository.js';
import { fromStoredValues, type StoredValues } from '../run/bound-values.js';
import { decodeSource } from '../source/source-snapshot.js';
import { readCrews } from './crew.repository.js';
import { sourcesOf, type Crew, type CrewSources } from './crew.js';
import { chooseTurns, type ActiveRuns, type Lane } from './fair-order.js';

/** What of the run's row goes into its plan. */
const planColumns = `r.id, r.fence, r.workspace_id, r.source, r.sql, r.bound_values, r.reach, r.rows_max, r.bytes_max, r.timeout_ms,
  r.user_id, r.request_id, r.traceparent`;

interface PlanRow extends LaneKey {
  id: string;
  fence: number;
  workspace_id: string;
  source: Buffer;
  sql: string;
  bound_values: StoredValues;
  reach: RunPlan['reach'] | null;
  rows_max: string;
  bytes_max: string;
  timeout_ms: number;
  user_id: string;
  request_id: string;
  traceparent: string;
}

/** A run that was given a slot, and the queue of the workers whose slot it is. */
export interface Dispatched {
  readonly plan: RunPlan;
  readonly queue: string;
}

export type FillOutcome =
  | { readonly kind: 'busy' }
  | { readonly kind: 'filled'; readonly dispatched: readonly Dispatched[]; readonly hasMore: boolean };

@Injectable()
export class DispatchRepository {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    @InjectConfig() private readonly config: OrchestratorConfig,
  ) {}

  async hasBacklog(pool: string): Promise<boolean> {
    const [row] = await queryPrepared<{ found: boolean }>(
      this.dataSource,
      `select exists (select 1 from orchestrator.backlog where pool = $1 and waits) as found`,
      [pool],
    );
    return row?.found ?? false;
  }

  /** How many runs wait in each class, for the metrics. */
  async depths(): Promise<{ pool: string; class: 1 | 2 | 3; queued: string }[]> {
    return this.dataSource.query(
      `select pool, class, sum(queued) as queued from orchestrator.backlog where waits group by pool, class`,
    );
  }

  /**
   * Dispatches from the backlog until the slots are full, nothing more may run, or `limit` is reached. There may be more to dispatch
   * where slots are left: what was asked or ended meanwhile.
   */
  async fill(pool: string, limit: number): Promise<FillOutcome> {
    return inTransaction(this.dataSource, async (manager) => {
      if (!(await lock(manager, pool))) return { kind: 'busy' };
      const crews = await readCrews(manager, pool, this.config);
      const dispatched: Dispatched[] = [];
      let hasFree = false;
      for (const crew of crews) {
        const { plans, isFull } = await this.fillCrew(manager, pool, { crew, crews, limit: limit - dispatched.length });
        dispatched.push(...plans.map((plan) => ({ plan, queue: crew.queue })));
        hasFree ||= !isFull;
      }
      return { kind: 'filled', dispatched, hasMore: hasFree && dispatched.length > 0 };
    });
  }

  private async fillCrew(
    manager: EntityManager,
    pool: string,
    { crew, crews, limit }: CrewToFill,
  ): Promise<{ plans: RunPlan[]; isFull: boolean }> {
    const plans: RunPlan[] = [];
    let slots = Infinity;
    for (let looks = 0; looks < looksMax && plans.length < limit; looks += 1) {
      const { turns, free } = await this.nextTurns(manager, pool, { crew, crews, limit: limit - plans.length });
      slots = plans.length + free;
      if (turns.length === 0) break;
      const takenOf = Map.groupBy(await takeTurns(manager, pool, crew, turns), laneKey);
      const rows = turns.map((lane) => takenOf.get(laneKey(lane))?.shift());
      plans.push(...rows.flatMap((row) => (row ? [toPlan(row)] : [])));
      const idle = new Set(turns.filter((_, index) => !rows[index]));
      if (idle.size === 0) break;
      await passOver(manager, pool, [...idle]);
    }
    return { plans, isFull: plans.length >= slots };
  }

  private async nextTurns(
    manager: EntityManager,
    pool: string,
    { crew, crews, limit }: CrewToFill,
  ): Promise<{ turns: Lane[]; free: number }> {
    if (crew.slots === 0) return { turns: [], free: 0 };
    const sources = sourcesOf(crew, crews);
    const { held, present } = await readPool(manager, pool, sources, this.config);
    const active = held.filter(({ queue }) => queue === crew.queue);
    const elsewhere = held.filter(({ queue }) => queue !== crew.queue);
    const free = Math.max(0, crew.slots - active.reduce((sum, { count }) => sum + count, 0));
    const turnsMax = Math.min(limit, free);
    if (turnsMax === 0) return { turns: [], free };
    const lanes = await readLanes(manager, pool, sources, held, turnsMax);
    const turns = chooseTurns({ slots: crew.slots, active, elsewhere, present, lanes }, this.config.queue, turnsMax);
    return { turns, free };
  }
}

/** Whether the source `s` is one of CrewSources, whose three parameters begin with this number. */
function isServed(first: number): string {
  return `(s.id = any ($${first}::text[]) or coalesce(s.type = any ($${first + 1}::text[]), false)) = $${first + 2}::boolean`;
}

interface CrewToFill {
  readonly crew: Crew;
  readonly crews: readonly Crew[];
  readonly limit: number;
}

/** A lane may have nothing to give although it waits; after so many looks the next poll goes on. */
const looksMax = 8;

/**
 * Who holds it, until the end of the transaction, alone takes slots of the pool. Counting must be a statement of its
 * own behind this one, so that it sees what the last holder has committed. Plans are made for a backlog that statistics
 * do not know of yet: everything below has an index.
 */
async function lock(manager: EntityManager, pool: string): Promise<boolean> {
  const [row] = await queryPrepared<{ held: boolean }>(
    manager,
    `select orchestrator.lock_pool($1) as held, set_config('enable_seqscan', 'off', true),
       set_config('enable_bitmapscan', 'off', true)`,
    [pool],
  );
  return row?.held ?? false;
}

/** The runs that hold a slot of the workers of one queue. */
type HeldSlots = ActiveRuns & { readonly queue: string };

/** Runs that hold a slot are counted, never kept as a number: they can be no more than the slots. */
async function readPool(
  manager: EntityManager,
  pool: string,
  { ids, types, areServed }: CrewSources,
  { queue }: OrchestratorConfig,
): Promise<{ held: HeldSlots[]; present: string[] }> {
  const [row] = await queryPrepared<{ held: HeldSlots[] | null; present: string[] }>(
    manager,
    `select
       (select jsonb_agg(to_jsonb(a)) from (
         select queue, workspace_id as "workspaceId", user_id as "userId", source_id as "sourceId", class,
           count(*) as count
         from orchestrator.run where pool = $1 and state in ('DISPATCHED', 'RUNNING', 'CANCELING')
         group by queue, workspace_id, user_id, source_id, class) a) as held,
       array(select t.workspace_id from orchestrator.tenant t
         where t.pool = $1 and t.seen_at > now() - make_interval(secs => $2)
           and exists (select from orchestrator.source s where s.workspace_id = t.workspace_id and ${isServed(3)})
         limit 2) as present`,
    [pool, queue.shareHoldSeconds, ids, types, areServed],
  );
  return { held: row?.held ?? [], present: row?.present ?? [] };
}

/**
 * The lanes that can come next, read in the order of their turns, so that it costs the same however many wait: all
 * workspaces that hold a slot, and of the others, which come first, as many as there are free slots in each class. In each, as
 * many lanes of a source and class as are surely enough where the users that hold a slot come behind those who do not.
 */
async function readLanes(
  manager: EntityManager,
  pool: string,
  { ids, types, areServed }: CrewSources,
  active: readonly ActiveRuns[],
  free: number,
): Promise<Lane[]> {
  const workspaceIds = [...new Set(active.map(({ workspaceId }) => workspaceId))];
  const users = new Set(active.map(({ workspaceId, userId }) => `${workspaceId}/${userId}`)).size;
  return queryPrepared<Lane>(
    manager,
    `with waiting as (
       select b.workspace_id, b.source_id, b.class from orchestrator.backlog b
       where b.pool = $1 and b.waits and b.workspace_id = any ($2)
       union all
       select b.* from (values (1), (2), (3)) c (class) cross join lateral (
         select b.workspace_id, b.source_id, b.class from orchestrator.backlog b
         where b.pool = $1 and b.class = c.class and b.waits and b.workspace_id <> all ($2)
           and exists (select from orchestrator.source s where s.id = b.source_id and not s.paused and not s.deleted and ${isServed(5)})
         order by b.served_at limit $3) b
     )
     select w.workspace_id as "workspaceId", w.source_id as "sourceId", w.class, l.user_id as "userId", l.queued,
       extract(epoch from clock_timestamp() - l.served_at)::double precision as "waitedSeconds",
       s.max_concurrent_executions as "sourceRunsMax"
     from waiting w
     join orchestrator.source s on s.id = w.source_id and not s.paused and not s.deleted and ${isServed(5)}
     cross join lateral (
       select l.user_id, l.queued, l.served_at from orchestrator.lane l
       where l.pool = $1 and l.workspace_id = w.workspace_id and l.source_id = w.source_id and l.class = w.class
         and l.waits
       order by l.served_at limit $4) l`,
    [pool, workspaceIds, free, free + users, ids, types, areServed],
  );
}

/** A run whose row is locked (someone joins or leaves it just now) is passed over, as is one that is to wait for its retry. */
async function takeTurns(
  manager: EntityManager,
  pool: string,
  { queue }: Crew,
  turns: readonly Lane[],
): Promise<PlanRow[]> {
  const counts = new Map<Lane, number>();
  for (const lane of turns) counts.set(lane, (counts.get(lane) ?? 0) + 1);
  return queryPrepared<PlanRow>(
    manager,
    `with ready as (
       select q.id from unnest($2::text[], $3::text[], $4::text[], $5::smallint[], $6::integer[])
         t (source_id, workspace_id, user_id, class, turns)
       cross join lateral (
         select q.id from orchestrator.run q
         where q.state = 'QUEUED' and q.pool = $1 and q.source_id = t.source_id
           and q.workspace_id = t.workspace_id and q.user_id = t.user_id and q.class = t.class
           and q.not_before <= now()
         order by q.submitted_at, q.id limit t.turns for update skip locked) q
     ), r as (
       update orchestrator.run set ${assignments('dispatch', ['fence = fence + 1', 'dispatched_at = now()', 'queue = $7'])}
       from ready where run.id = ready.id
       returning run.*
     )
     select ${planColumns}, r.source_id as "sourceId", r.workspace_id as "workspaceId", r.user_id as "userId", r.class
     from r order by r.submitted_at, r.id`,
    [pool, ...columnsOf([...counts.keys()]), [...counts.values()], queue],
  );
}

/**
 * Lanes that had less to give than they have waiting go behind the others, which would else never be read. In two statements,
 * the backlog first as everywhere: a part of one statement that only writes is done after its end.
 */
async function passOver(manager: EntityManager, pool: string, lanes: readonly Lane[]): Promise<void> {
  const idle = `unnest($2::text[], $3::text[], $4::text[], $5::smallint[]) i (source_id, workspace_id, user_id, class)`;
  const parameters = [pool, ...columnsOf(lanes)];
  await manager.query(
    `update orchestrator.backlog b set served_at = clock_timestamp()
     from (select distinct i.workspace_id, i.source_id, i.class from ${idle}) i
     where (b.pool, b.workspace_id, b.source_id, b.class) = ($1, i.workspace_id, i.source_id, i.class)`,
    parameters,
  );
  await manager.query(
    `update orchestrator.lane l set served_at = clock_timestamp() from ${idle}
     where (l.pool, l.source_id, l.workspace_id, l.user_id, l.class)
       = ($1, i.source_id, i.workspace_id, i.user_id, i.class)`,
    parameters,
  );
}

function columnsOf(lanes: readonly Lane[]): unknown[] {
  return [
    lanes.map(({ sourceId }) => sourceId),
    lanes.map(({ workspaceId }) => workspaceId),
    lanes.map(({ userId }) => userId),
    lanes.map((lane) => lane.class),
  ];
}

type LaneKey = Pick<Lane, 'workspaceId' | 'userId' | 'sourceId' | 'class'>;

function laneKey(lane: LaneKey): string {
  return [lane.workspaceId, lane.userId, lane.sourceId, lane.class].join('/');
}

function toPlan(row: PlanRow): RunPlan {
  return {
    runId: row.id,
    fence: row.fence,
    workspaceId: row.workspace_id,
    source: decodeSource(row.source),
    sql: row.sql,
    values: fromStoredValues(row.bound_values),
    reach: row.reach ?? undefined,
    rowsMax: Number(row.rows_max),
    bytesMax: Number(row.bytes_max),
    timeoutMs: row.timeout_ms,
    submittedById: row.user_id,
    requestId: row.request_id,
    traceparent: row.traceparent,
  };
}
