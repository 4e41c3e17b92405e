import type { MigrationInterface, QueryRunner } from 'typeorm';
import { createMessageTables, dropMessageTables } from '#libs/database';

/**
 * run: the work, and the one truth of its state. execution: one caller's view of a run. lane: the shape of the backlog,
 * kept by triggers on run so that no path can forget it. worker: who has slots. source: what may run where at once.
 * finished_horizon: up to where the finished order is no longer kept.
 */
export class CreateOrchestrator1795219300000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(runTable);
    await queryRunner.query(executionTable);
    await queryRunner.query(laneTable);
    await queryRunner.query(laneTriggers);
    await queryRunner.query(smallTables);
    await createMessageTables(queryRunner, 'orchestrator');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await dropMessageTables(queryRunner, 'orchestrator');
    await queryRunner.query(`
      drop table orchestrator.execution, orchestrator.run, orchestrator.lane, orchestrator.worker,
        orchestrator.source, orchestrator.finished_horizon;
      drop function orchestrator.count_lane();
      drop sequence orchestrator.finished_seq;
    `);
  }
}

const runTable = `
  create sequence orchestrator.finished_seq as bigint;

  create table orchestrator.run (
    id text primary key,
    workspace_id text not null,
    -- SHA-256 of everything that can change the answer; see flight-key.ts.
    flight_key bytea not null check (octet_length(flight_key) = 32),
    state text not null check (state in
      ('QUEUED', 'DISPATCHED', 'RUNNING', 'CANCELING', 'SUCCEEDED', 'FAILED', 'CANCELED', 'TIMED_OUT')),
    version integer not null default 1,
    -- Raised with each dispatch. Who writes with an older one touches no row.
    fence integer not null default 0,
    attempts integer not null default 0,
    attempts_max integer not null,

    pool text not null,
    -- The user who asked first.
    user_id text not null,
    class smallint not null check (class in (1, 2, 3)),
    source_id text not null,
    -- The encoded SourceConnection that the plan is made of; gone once the run is final.
    source bytea,
    sql text not null,
    rows_max bigint not null,
    bytes_max bigint not null,
    timeout_ms integer not null,
    request_id text not null,
    traceparent text not null,

    -- The run goes on when its last caller has left.
    keep boolean not null default false,
    cancel_reason text check (cancel_reason in ('CANCELED', 'TIMED_OUT')),
    worker_id text,
    lease_until timestamptz,
    source_handle jsonb,

    submitted_at timestamptz not null default now(),
    queued_at timestamptz not null default now(),
    queue_deadline timestamptz not null,
    -- A retry waits until then.
    not_before timestamptz not null default now(),
    dispatched_at timestamptz,
    -- How often a dispatch has found no claim.
    unclaimed_count integer not null default 0,
    started_at timestamptz,
    claimed_at timestamptz,
    deadline timestamptz,
    canceling_at timestamptz,
    -- Until then one reaper works on this run and the others pass it over.
    reaped_until timestamptz,

    rows bigint not null default 0,
    bytes bigint not null default 0,
    fraction double precision,
    error_code text,
    error_message text,
    error_retryable boolean,
    error_retry_after_seconds double precision,
    error_source_code text,

    finished_at timestamptz,
    -- The place in the finished order, which commits cannot cross; see finished.repository.ts.
    finished_xid xid8,
    finished_seq bigint,

    check ((finished_at is not null) = (state in ('SUCCEEDED', 'FAILED', 'CANCELED', 'TIMED_OUT'))),
    check ((finished_at is null) = (finished_xid is null) and (finished_xid is null) = (finished_seq is null)),
    check ((state = 'CANCELING') <= (cancel_reason is not null)),
    check ((state in ('RUNNING', 'CANCELING')) <= (worker_id is not null and lease_until is not null))
  );

  -- Single flight. A CANCELING run is unfinished too, but nobody can join it, so an equal question begins anew.
  create unique index run_flight on orchestrator.run (flight_key) where state in ('QUEUED', 'DISPATCHED', 'RUNNING');
  create index run_queue on orchestrator.run (pool, source_id, workspace_id, user_id, class, submitted_at, id)
    where state = 'QUEUED';
  create index run_queue_order on orchestrator.run (pool, class, submitted_at, id) where state = 'QUEUED';
  create index run_active on orchestrator.run (pool, source_id) where state in ('DISPATCHED', 'RUNNING', 'CANCELING');
  create index run_waiting on orchestrator.run (queue_deadline) where state = 'QUEUED';
  create index run_of_source on orchestrator.run (source_id) where state in ('QUEUED', 'DISPATCHED');
  create index run_finished on orchestrator.run (workspace_id, finished_xid, finished_seq) where finished_seq is not null;
  create index run_finished_at on orchestrator.run (finished_at) where finished_at is not null;
`;

const executionTable = `
  create table orchestrator.execution (
    id text primary key,
    run_id text not null references orchestrator.run on delete cascade,
    workspace_id text not null,
    caller_id text not null,
    cache_status text not null check (cache_status in ('MISS', 'SHARED')),
    class smallint not null check (class in (1, 2, 3)),
    saved_query_id text,
    submitted_at timestamptz not null default now(),
    trace_id text,

    -- Set when the caller has left a run that goes on for others; it stays, whatever the run does.
    own_state text check (own_state in ('CANCELED')),
    own_version integer,
    own_finished_at timestamptz,
    own_finished_xid xid8,
    own_finished_seq bigint,

    idempotency_key text,
    input_hash bytea,

    check ((own_state is null) = (own_version is null) and (own_state is null) = (own_finished_seq is null)
      and (own_state is null) = (own_finished_xid is null) and (own_state is null) = (own_finished_at is null)),
    check ((idempotency_key is null) or (input_hash is not null))
  );
  create index execution_run on orchestrator.execution (run_id);
  create index execution_of_workspace on orchestrator.execution (workspace_id, submitted_at desc, id desc);
  create index execution_of_caller on orchestrator.execution (workspace_id, caller_id, submitted_at desc, id desc);
  create index execution_own_finished on orchestrator.execution (workspace_id, caller_id, own_finished_xid, own_finished_seq)
    where own_finished_seq is not null;
  create unique index execution_idempotency on orchestrator.execution (workspace_id, caller_id, idempotency_key)
    where idempotency_key is not null;
  create index execution_idempotency_age on orchestrator.execution (submitted_at) where idempotency_key is not null;
`;

const laneTable = `
  create table orchestrator.lane (
    pool text not null,
    source_id text not null,
    workspace_id text not null,
    user_id text not null,
    class smallint not null,
    queued integer not null default 0 check (queued >= 0),
    -- When a run of the lane was last dispatched from the backlog.
    served_at timestamptz,
    primary key (pool, source_id, workspace_id, user_id, class)
  );
  create index lane_backlog on orchestrator.lane (pool, class, served_at) where queued > 0;
`;

// Row by row, and only for changes that reach or leave QUEUED: heartbeats never come here.
const laneTriggers = `
  create function orchestrator.count_lane() returns trigger language plpgsql as $$
  begin
    if tg_op <> 'INSERT' and old.state = 'QUEUED' then
      update orchestrator.lane set queued = queued - 1,
        served_at = case when tg_op = 'UPDATE' and new.state = 'DISPATCHED' then clock_timestamp() else served_at end
      where (pool, source_id, workspace_id, user_id, class)
        = (old.pool, old.source_id, old.workspace_id, old.user_id, old.class);
    end if;
    if tg_op <> 'DELETE' and new.state = 'QUEUED' then
      insert into orchestrator.lane as l (pool, source_id, workspace_id, user_id, class, queued)
      values (new.pool, new.source_id, new.workspace_id, new.user_id, new.class, 1)
      on conflict (pool, source_id, workspace_id, user_id, class) do update set queued = l.queued + 1;
    end if;
    return null;
  end $$;
  create trigger run_enters_lane after insert on orchestrator.run
    for each row when (new.state = 'QUEUED') execute function orchestrator.count_lane();
  create trigger run_moves_lane after update of state, class on orchestrator.run
    for each row when ((old.state, old.class) is distinct from (new.state, new.class)
      and (old.state = 'QUEUED' or new.state = 'QUEUED')) execute function orchestrator.count_lane();
  create trigger run_leaves_lane after delete on orchestrator.run
    for each row when (old.state = 'QUEUED') execute function orchestrator.count_lane();
`;

const smallTables = `
  create table orchestrator.worker (
    id text primary key,
    pool text not null,
    slots integer not null check (slots >= 0),
    heartbeat_at timestamptz not null,
    draining boolean not null
  );
  create index worker_of_pool on orchestrator.worker (pool, heartbeat_at);

  create table orchestrator.source (
    id text primary key,
    workspace_id text not null,
    version integer not null,
    max_concurrent_executions integer not null,
    paused boolean not null,
    deleted boolean not null default false
  );

  create table orchestrator.finished_horizon (
    only_one boolean primary key default true check (only_one),
    xid xid8 not null,
    seq bigint not null
  );
`;
