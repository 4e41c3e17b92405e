import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * backlog: what waits in a workspace for a source, in a class; above the lanes, so that neither the next lane nor a
 * depth is looked for among all of them. tenant: which workspaces have asked of late. usage and spent: what a
 * user has used of today, and the pace of their runs.
 *
 * served_at is when a lane or a backlog had its last turn, or began to wait: whoever is not served only grows older.
 */
export class FairQueue1795280000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(tables);
    await queryRunner.query(triggers);
    await queryRunner.query(counting);
    await queryRunner.query(refusals);
    await queryRunner.query(places);
    await queryRunner.query(beginRun);
    await queryRunner.query(plans);
  }

  async down(): Promise<void> {
    throw new Error('the dispatcher before knows no backlog');
  }
}

// A column of its own says who waits, as an index over the count itself would be written with each change of it.
const tables = `
  drop index orchestrator.lane_backlog;
  -- Statistics do not know of a backlog that came a moment ago, and any index over what waits looks as good as the right
  -- one. So an index for one query alone has a condition that only that query states.
  drop index orchestrator.run_queue_order, orchestrator.run_waiting, orchestrator.run_of_source;
  create index run_waiting on orchestrator.run (queue_deadline)
    where state = 'QUEUED' and queue_deadline > '-infinity';
  create index run_of_source on orchestrator.run (source_id)
    where state in ('QUEUED', 'DISPATCHED') and source_id > '';
  -- A lane that was never dispatched from.
  update orchestrator.lane set served_at = clock_timestamp() where served_at is null;
  alter table orchestrator.lane
    add column waits boolean not null generated always as (queued > 0) stored,
    alter column served_at set default clock_timestamp(),
    alter column served_at set not null,
    set (fillfactor = 50);
  create index lane_turn on orchestrator.lane (pool, workspace_id, source_id, class, served_at) where waits;

  create table orchestrator.backlog (
    pool text not null,
    workspace_id text not null,
    source_id text not null,
    class smallint not null,
    queued integer not null default 0 check (queued >= 0),
    waits boolean not null generated always as (queued > 0) stored,
    served_at timestamptz not null default clock_timestamp(),
    primary key (pool, workspace_id, source_id, class)
  ) with (fillfactor = 50);
  insert into orchestrator.backlog (pool, workspace_id, source_id, class, queued)
    select pool, workspace_id, source_id, class, sum(queued) from orchestrator.lane
    where queued > 0 group by pool, workspace_id, source_id, class;
  create index backlog_turn on orchestrator.backlog (pool, class, served_at) where waits;

  create table orchestrator.tenant (
    pool text not null,
    workspace_id text not null,
    seen_at timestamptz not null,
    primary key (pool, workspace_id)
  );
  create index tenant_seen on orchestrator.tenant (pool, seen_at);

  create table orchestrator.usage (
    workspace_id text not null,
    user_id text not null,
    -- Of UTC. What is written on a later day begins anew.
    day date not null,
    executions bigint not null default 0,
    seconds double precision not null default 0,
    rows bigint not null default 0,
    bytes bigint not null default 0,
    -- Up to when the user's runs are spread at their pace: a token bucket in one column.
    paced_until timestamptz not null default '-infinity',
    primary key (workspace_id, user_id)
  ) with (fillfactor = 50);

  -- What runs have used when they ended, until their user's next run adds it up: so no end of a run waits for another.
  create table orchestrator.spent (
    workspace_id text not null,
    user_id text not null,
    day date not null,
    seconds double precision not null,
    rows bigint not null,
    bytes bigint not null
  );
  create index spent_of_user on orchestrator.spent (workspace_id, user_id);

  create view orchestrator.used_today as
    select workspace_id, user_id, executions, seconds, rows, bytes from orchestrator.usage
    where day = (now() at time zone 'UTC')::date
    union all
    select workspace_id, user_id, 0, seconds, rows, bytes from orchestrator.spent
    where day = (now() at time zone 'UTC')::date;
`;

// The backlog comes first, then its lane, in every transaction: whoever holds a lane holds its backlog.
const triggers = `
  create or replace function orchestrator.count_lane() returns trigger language plpgsql as $$
  declare
    is_served boolean := tg_op = 'UPDATE' and new.state = 'DISPATCHED';
  begin
    if tg_op <> 'INSERT' and old.state = 'QUEUED' then
      update orchestrator.backlog set queued = queued - 1,
        served_at = case when is_served then clock_timestamp() else served_at end
      where (pool, workspace_id, source_id, class) = (old.pool, old.workspace_id, old.source_id, old.class);
      update orchestrator.lane set queued = queued - 1,
        served_at = case when is_served then clock_timestamp() else served_at end
      where (pool, source_id, workspace_id, user_id, class)
        = (old.pool, old.source_id, old.workspace_id, old.user_id, old.class);
    end if;
    if tg_op <> 'DELETE' and new.state = 'QUEUED' then
      insert into orchestrator.backlog as b (pool, workspace_id, source_id, class, queued)
      values (new.pool, new.workspace_id, new.source_id, new.class, 1)
      on conflict (pool, workspace_id, source_id, class) do update set queued = b.queued + 1,
        served_at = case when b.waits then b.served_at else clock_timestamp() end;
      insert into orchestrator.lane as l (pool, source_id, workspace_id, user_id, class, queued)
      values (new.pool, new.source_id, new.workspace_id, new.user_id, new.class, 1)
      on conflict (pool, source_id, workspace_id, user_id, class) do update set queued = l.queued + 1,
        served_at = case when l.waits then l.served_at else clock_timestamp() end;
    end if;
    return null;
  end $$;

  create function orchestrator.note_spent() returns trigger language plpgsql as $$
  begin
    insert into orchestrator.spent (workspace_id, user_id, day, seconds, rows, bytes)
    values (new.workspace_id, new.user_id, (now() at time zone 'UTC')::date,
      extract(epoch from new.finished_at - new.claimed_at), new.rows, new.bytes);
    return null;
  end $$;
  create trigger run_spends after update of state on orchestrator.run
    for each row when (old.finished_at is null and new.finished_at is not null and new.claimed_at is not null)
    execute function orchestrator.note_spent();
`;

const counting = `
  drop function orchestrator.free_slots;
  drop function orchestrator.active_of_source;

  create function orchestrator.slots(of_pool text, worker_live_seconds double precision) returns bigint
  language sql stable
  return (
    select coalesce(sum(w.slots), 0) from orchestrator.worker w
    where w.pool = of_pool and not w.draining and w.heartbeat_at > now() - make_interval(secs => worker_live_seconds)
  );

  -- Notes that a workspace asks, not more often than counts.
  create function orchestrator.note_tenant(of_pool text, of_workspace text) returns void language plpgsql as $$
  begin
    if not exists (select from orchestrator.tenant t
      where t.pool = of_pool and t.workspace_id = of_workspace and t.seen_at > now() - interval '5 s') then
      insert into orchestrator.tenant as t (pool, workspace_id, seen_at) values (of_pool, of_workspace, now())
      on conflict (pool, workspace_id) do update set seen_at = excluded.seen_at
      where t.seen_at < excluded.seen_at - interval '5 s';
    end if;
  end $$;

  -- How many slots a workspace may hold: all of them while it is alone.
  create function orchestrator.share_of(slots bigint, percent integer) returns bigint language sql immutable
  return greatest(1, slots * percent / 100);

  -- Whether a new run comes before all that waits and may take a slot now. To be asked behind the lock of the pool.
  create function orchestrator.is_first(new orchestrator.run, rules jsonb) returns boolean language sql stable
  begin atomic
    with active as materialized (
      select a.workspace_id, a.source_id, a.class, count(*) as n from orchestrator.run a
      where a.pool = new.pool and a.state in ('DISPATCHED', 'RUNNING', 'CANCELING')
      group by a.workspace_id, a.source_id, a.class
    ), taken as (
      select coalesce(sum(n), 0) as of_pool,
        coalesce(sum(n) filter (where workspace_id = new.workspace_id), 0) as of_workspace,
        coalesce(sum(n) filter (where source_id = new.source_id), 0) as of_source,
        coalesce(sum(n) filter (where class = 3), 0) as scheduled,
        orchestrator.slots(new.pool, (rules->>'workerLiveSeconds')::double precision) as slots
      from active
    )
    select t.of_pool < t.slots
      and t.of_source < (select s.max_concurrent_executions from orchestrator.source s
        where s.id = new.source_id and not s.paused and not s.deleted)
      and t.of_workspace < (rules->>'workspaceRunsMax')::integer
      and (new.class < 3 or t.scheduled < orchestrator.share_of(t.slots, (rules->>'scheduledSharePercent')::integer))
      -- Nobody waits who holds no more than we do.
      and not exists (
        select from orchestrator.backlog b where b.pool = new.pool and b.waits
          and (b.workspace_id = new.workspace_id or t.of_workspace >=
            (select coalesce(sum(a.n), 0) from active a where a.workspace_id = b.workspace_id)))
      and (t.of_workspace < orchestrator.share_of(t.slots, (rules->>'workspaceSharePercent')::integer)
        or not exists (select from active a where a.workspace_id <> new.workspace_id)
        and not exists (select from orchestrator.backlog b
          where b.pool = new.pool and b.waits and b.workspace_id <> new.workspace_id)
        and not exists (select from orchestrator.tenant o
          where o.pool = new.pool and o.workspace_id <> new.workspace_id
            and o.seen_at > now() - make_interval(secs => (rules->>'shareHoldSeconds')::double precision)))
    from taken t;
  end;
`;

/**
 * rules->'quotas': the user's and the workspace's, each {executions, seconds, rows, bytes} with null or nothing for
 * unlimited. A refusal is {reason, retryAfterSeconds, …}; null where there is none.
 */
const refusals = `
  -- Mean seconds of the runs that have ended last, and so of those that will.
  create function orchestrator.mean_run_seconds(of_pool text) returns double precision language sql stable
  return (
    select extract(epoch from avg(last.finished_at - last.claimed_at))::double precision from (
      select r.pool, r.claimed_at, r.finished_at from orchestrator.run r
      where r.finished_at is not null order by r.finished_at desc limit 50
    ) last where last.pool = of_pool and last.claimed_at is not null
  );

  create function orchestrator.depth_refusal(new orchestrator.run, rules jsonb) returns jsonb language plpgsql as $$
  declare
    of_workspace bigint;
    of_pool bigint;
    depth_max bigint;
    reason text;
  begin
    select coalesce(sum(b.queued) filter (where b.workspace_id = new.workspace_id), 0), coalesce(sum(b.queued), 0)
    into of_workspace, of_pool from orchestrator.backlog b where b.pool = new.pool and b.waits;
    if of_workspace > (rules->>'workspaceDepthMax')::integer then
      reason := 'workspace_depth';
      depth_max := (rules->>'workspaceDepthMax')::integer;
    elsif of_pool > (rules->>'depthMax')::integer then
      reason := 'depth';
      depth_max := (rules->>'depthMax')::integer;
    else
      return null;
    end if;
    -- When about a tenth of it will be gone.
    return jsonb_build_object('reason', reason, 'retryAfterSeconds', least(60, greatest(1, ceil(
      depth_max * 0.1 * coalesce(orchestrator.mean_run_seconds(new.pool), 1)
        / greatest(1, orchestrator.slots(new.pool, (rules->>'workerLiveSeconds')::double precision))))));
  end $$;

  create function orchestrator.quota_refusal(used orchestrator.usage, quotas jsonb, scope text) returns jsonb
  language sql stable
  return (
    select jsonb_build_object('reason', 'quota', 'scope', scope, 'kind', q.kind, 'retryAfterSeconds', ceil(
      extract(epoch from date_trunc('day', now() at time zone 'UTC') + interval '1 day' - now() at time zone 'UTC')))
    from (values
      ('executions', used.executions - 1), ('seconds', used.seconds), ('rows', used.rows), ('bytes', used.bytes)
    ) q (kind, amount)
    where q.amount >= (quotas->>q.kind)::double precision limit 1
  );

  -- Takes what one run costs of its user's pace and quotas. Where it is refused, the caller rolls it back.
  create function orchestrator.use_allowance(new orchestrator.run, rules jsonb) returns jsonb language plpgsql as $$
  declare
    step interval := interval '1 minute' / (rules->>'runsPerMinute')::integer;
    today date := (now() at time zone 'UTC')::date;
    used orchestrator.usage;
    of_all orchestrator.usage;
  begin
    with gone as (
      delete from orchestrator.spent g
      where g.workspace_id = new.workspace_id and g.user_id = new.user_id
      returning g.*
    ), spent as (
      select coalesce(sum(g.seconds), 0) as seconds, coalesce(sum(g.rows), 0) as rows, coalesce(sum(g.bytes), 0) as bytes
      from gone g where g.day = today
    )
    insert into orchestrator.usage as u (workspace_id, user_id, day, executions, seconds, rows, bytes, paced_until)
    select new.workspace_id, new.user_id, today, 1, s.seconds, s.rows, s.bytes, clock_timestamp() + step from spent s
    on conflict (workspace_id, user_id) do update set
      day = excluded.day,
      executions = case when u.day = excluded.day then u.executions else 0 end + 1,
      seconds = case when u.day = excluded.day then u.seconds else 0 end + excluded.seconds,
      rows = case when u.day = excluded.day then u.rows else 0 end + excluded.rows,
      bytes = case when u.day = excluded.day then u.bytes else 0 end + excluded.bytes,
      paced_until = greatest(u.paced_until, clock_timestamp()) + step
    where u.paced_until + step <= clock_timestamp() + interval '1 minute'
    returning u.* into used;
    if not found then
      return (select jsonb_build_object('reason', 'pace', 'retryAfterSeconds', greatest(1, ceil(
          extract(epoch from u.paced_until + step - interval '1 minute' - clock_timestamp()))))
        from orchestrator.usage u where u.workspace_id = new.workspace_id and u.user_id = new.user_id);
    end if;
    -- A workspace without quotas is not summed up.
    if jsonb_strip_nulls(rules->'quotas'->'workspace') <> '{}' then
      select sum(u.executions), sum(u.seconds), sum(u.rows), sum(u.bytes)
      into of_all.executions, of_all.seconds, of_all.rows, of_all.bytes
      from orchestrator.used_today u where u.workspace_id = new.workspace_id;
    end if;
    return coalesce(orchestrator.quota_refusal(used, rules->'quotas'->'user', 'user'),
      orchestrator.quota_refusal(of_all, rules->'quotas'->'workspace', 'workspace'));
  end $$;
`;

/**
 * Where a waiting run stands if every lane, and every workspace above them, has its turns one after the other: its place
 * in its lane, and as many turns of each other one that waits. Counting ends at a thousand.
 */
const places = `
  create function orchestrator.queue_place(of_pool text, of_source text, of_workspace text, of_user text,
    of_class smallint, submitted_at timestamptz, run_id text) returns bigint language sql stable
  begin atomic
    with lane as (
      select 1 + count(*) as place from (
        select from orchestrator.run q
        where q.state = 'QUEUED' and q.pool = of_pool and q.source_id = of_source and q.workspace_id = of_workspace
          and q.user_id = of_user and q.class = of_class and (q.submitted_at, q.id) < (queue_place.submitted_at, run_id)
        limit 999) ahead
    ), workspace as (
      select lane.place + coalesce(sum(least(coalesce(o.queued, 0), lane.place)), 0) as place from lane left join (
        select l.queued from orchestrator.lane l
        where l.pool = of_pool and l.workspace_id = of_workspace and l.waits and l.class <= of_class
          and (l.source_id, l.user_id, l.class) <> (of_source, of_user, of_class)
        limit 1000) o on true
      group by lane.place
    )
    select least(1000, w.place + coalesce(sum(least(coalesce(o.queued, 0), w.place)), 0))::bigint from workspace w left join (
      select sum(b.queued) as queued from orchestrator.backlog b
      where b.pool = of_pool and b.waits and b.workspace_id <> of_workspace group by b.workspace_id
      limit 1000) o on true
    group by w.place;
  end;

  -- How long a place in the queue lasts. Null where nothing tells how long runs take, or nobody runs them.
  create function orchestrator.seconds_per_place(of_pool text, worker_live_seconds double precision)
  returns double precision language sql stable
  return orchestrator.mean_run_seconds(of_pool) / nullif(orchestrator.slots(of_pool, worker_live_seconds), 0);
`;

const beginRun = `
  -- Begins a run, DISPATCHED at once where it comes before all that waits. Null where an equal one is under way. Raises
  -- SL002 with the refusal as its detail.
  create function orchestrator.begin_run(new orchestrator.run, wait_seconds double precision, rules jsonb)
  returns orchestrator.run language plpgsql as $$
  declare
    holds_pool boolean := orchestrator.try_lock_pool(new.pool);
    refusal jsonb;
    begun orchestrator.run;
  begin
    perform orchestrator.note_tenant(new.pool, new.workspace_id);
    with slot as (select holds_pool and orchestrator.is_first(new, rules) as is_free)
    insert into orchestrator.run as r (id, workspace_id, flight_key, flight_slot, pool, user_id, class, source_id,
      source, sql, bound_values, reach, rows_max, bytes_max, timeout_ms, request_id, traceparent, attempts_max, keep, cache_subjects,
      queue_deadline, state, fence, dispatched_at)
    select new.id, new.workspace_id, new.flight_key, new.flight_slot, new.pool, new.user_id, new.class, new.source_id,
      new.source, new.sql, new.bound_values, new.reach, new.rows_max, new.bytes_max, new.timeout_ms, new.request_id, new.traceparent,
      new.attempts_max, new.keep, new.cache_subjects, now() + make_interval(secs => wait_seconds),
      case when slot.is_free then 'DISPATCHED' else 'QUEUED' end,
      case when slot.is_free then 1 else 0 end,
      case when slot.is_free then now() end
    from slot
    on conflict (flight_key, flight_slot) where state in ('QUEUED', 'DISPATCHED', 'RUNNING') do nothing
    returning r.* into begun;
    if begun.id is null then
      return null;
    end if;
    if begun.state = 'QUEUED' then
      refusal := orchestrator.depth_refusal(begun, rules);
    end if;
    refusal := coalesce(refusal, orchestrator.use_allowance(begun, rules));
    if refusal is not null then
      raise exception 'the run is refused' using errcode = 'SL002', detail = refusal::text;
    end if;
    return begun;
  end $$;

  -- The same for a refresh, which is left out where it is refused.
  create function orchestrator.begin_refresh(new orchestrator.run, wait_seconds double precision, rules jsonb)
  returns orchestrator.run language plpgsql as $$
  begin
    return orchestrator.begin_run(new, wait_seconds, rules);
  exception when sqlstate 'SL002' then
    return null;
  end $$;
`;

/**
 * A backlog comes within seconds, and statistics within minutes: plans that were made for empty tables would read all of
 * what waits. Whatever these functions ask for has an index.
 */
const plans = ['accept_v2', 'queue_place', 'seconds_per_place']
  .flatMap((name) => [
    `alter function orchestrator.${name} set enable_seqscan = off;`,
    `alter function orchestrator.${name} set enable_bitmapscan = off;`,
  ])
  .join('\n');
