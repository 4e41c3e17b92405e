import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A submission is accepted by one call, so that it costs one round trip. Instances of two releases call it side by side, so
 * its name has a version: another signature is another function, and the older one stays for one release.
 * In PL/pgSQL each statement sees what has
 * committed before it began: slots are counted behind the lock of the pool, as the dispatcher counts them.
 */
export class AcceptInOneStatement1795240000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(wasLeft);
    await queryRunner.query(counting);
    await queryRunner.query(accept);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      drop function orchestrator.accept_v1;
      drop function orchestrator.free_slots;
      drop function orchestrator.active_of_source;
      drop function orchestrator.try_lock_pool;
      drop trigger execution_leaves_run on orchestrator.execution;
      drop function orchestrator.note_leaving;
      alter table orchestrator.run drop column was_left;
    `);
  }
}

const wasLeft = `
  -- A caller has left while others stayed: not every execution has the run's state.
  alter table orchestrator.run add column was_left boolean not null default false;

  -- Whoever leaves holds the row of the run.
  create function orchestrator.note_leaving() returns trigger language plpgsql as $$
  begin
    update orchestrator.run set was_left = true where id = new.run_id;
    return null;
  end $$;
  create trigger execution_leaves_run after update of own_state on orchestrator.execution
    for each row when (old.own_state is null and new.own_state is not null)
    execute function orchestrator.note_leaving();
`;

const counting = `
  -- Who holds it, until the end of the transaction, alone takes slots of the pool. Counting must be a statement of its
  -- own behind this one, so that it sees what the last holder has committed.
  create function orchestrator.try_lock_pool(pool text) returns boolean language sql volatile
  return pg_try_advisory_xact_lock(hashtextextended('sluice.dispatch.' || pool, 0));

  -- Slots of live workers less the runs that take one.
  create function orchestrator.free_slots(of_pool text, worker_live_seconds double precision) returns bigint
  language sql stable
  return (
    select coalesce(sum(w.slots), 0) from orchestrator.worker w
    where w.pool = of_pool and not w.draining and w.heartbeat_at > now() - make_interval(secs => worker_live_seconds)
  ) - (
    select count(*) from orchestrator.run a
    where a.pool = of_pool and a.state in ('DISPATCHED', 'RUNNING', 'CANCELING')
  );

  -- Runs of one source that use a connection of it.
  create function orchestrator.active_of_source(of_pool text, of_source_id text) returns bigint language sql stable
  return (
    select count(*) from orchestrator.run a
    where a.pool = of_pool and a.source_id = of_source_id and a.state in ('DISPATCHED', 'RUNNING', 'CANCELING')
  );
`;

/**
 * Begins a run or joins the equal one that is under way, and makes the caller's execution.
 *
 * outcome: 'begun' or 'joined'; with nothing done 'source_unknown' where this version of the source has yet to be taken
 * over, 'source_deleted' and 'source_paused'. A run that begins is DISPATCHED at once where nobody waits, and slot and source are free.
 *
 * Raises SL001 where the idempotency key was used before, so that no run without an execution stays behind.
 */
const accept = `
  create function orchestrator.accept_v1(
    execution_id text, run_id text, workspace_id text, caller_id text, flight_key bytea, pool text, class smallint,
    source_id text, source_version integer, source bytea, sql text, rows_max bigint, bytes_max bigint,
    timeout_ms integer, request_id text, traceparent text, trace_id text, attempts_max integer,
    wait_seconds double precision, worker_live_seconds double precision, saved_query_id text, idempotency_key text,
    input_hash bytea,
    out outcome text, out run orchestrator.run, out execution orchestrator.execution
  ) language plpgsql as $$
  #variable_conflict use_column
  declare
    holds_pool boolean;
  begin
    outcome := coalesce((
      select case when s.deleted then 'source_deleted' when s.version < accept_v1.source_version then 'source_unknown'
        when s.paused then 'source_paused' end
      from orchestrator.source s where s.id = accept_v1.source_id
    ), case when exists (select from orchestrator.source s where s.id = accept_v1.source_id) then null
      else 'source_unknown' end);
    if outcome is not null then
      return;
    end if;
    holds_pool := orchestrator.try_lock_pool(accept_v1.pool);
    -- A run may slip away between finding it and joining it. Each time it has ended, so a new one can begin.
    for attempt in 1..10 loop
      with slot as (
        select holds_pool
          and not exists (select from orchestrator.lane l where l.pool = accept_v1.pool and l.queued > 0)
          and orchestrator.free_slots(accept_v1.pool, accept_v1.worker_live_seconds) > 0
          and orchestrator.active_of_source(accept_v1.pool, accept_v1.source_id) < (
            select s.max_concurrent_executions from orchestrator.source s where s.id = accept_v1.source_id and not s.paused and not s.deleted)
          as is_free
      )
      insert into orchestrator.run as r (id, workspace_id, flight_key, pool, user_id, class, source_id, source, sql,
        rows_max, bytes_max, timeout_ms, request_id, traceparent, attempts_max, queue_deadline,
        state, fence, dispatched_at)
      select accept_v1.run_id, accept_v1.workspace_id, accept_v1.flight_key, accept_v1.pool, accept_v1.caller_id, accept_v1.class, accept_v1.source_id,
        accept_v1.source, accept_v1.sql, accept_v1.rows_max, accept_v1.bytes_max, accept_v1.timeout_ms, accept_v1.request_id,
        accept_v1.traceparent, accept_v1.attempts_max, now() + make_interval(secs => accept_v1.wait_seconds),
        case when slot.is_free then 'DISPATCHED' else 'QUEUED' end,
        case when slot.is_free then 1 else 0 end,
        case when slot.is_free then now() end
      from slot
      on conflict (flight_key) where state in ('QUEUED', 'DISPATCHED', 'RUNNING') do nothing
      returning r.* into accept_v1.run;
      if found then
        outcome := 'begun';
        exit;
      end if;
      -- What waits in a less urgent class moves up.
      if exists (
        select from orchestrator.run r where r.flight_key = accept_v1.flight_key and r.state = 'QUEUED' and r.class > accept_v1.class
      ) then
        update orchestrator.run r set class = accept_v1.class
        where r.flight_key = accept_v1.flight_key and r.state = 'QUEUED' and r.class > accept_v1.class;
      end if;
      -- FOR SHARE holds off the last leaver, who takes FOR UPDATE; any number join at once.
      select r.* into accept_v1.run from orchestrator.run r
      where r.flight_key = accept_v1.flight_key and r.state in ('QUEUED', 'DISPATCHED', 'RUNNING') for share;
      if found then
        outcome := 'joined';
        exit;
      end if;
    end loop;
    if outcome is null then
      raise exception 'an equal run began and ended again and again';
    end if;
    insert into orchestrator.execution as e (id, run_id, workspace_id, caller_id, cache_status, class, saved_query_id,
      trace_id, idempotency_key, input_hash)
    values (accept_v1.execution_id, (accept_v1.run).id, accept_v1.workspace_id, accept_v1.caller_id,
      case outcome when 'begun' then 'MISS' else 'SHARED' end, accept_v1.class, accept_v1.saved_query_id, accept_v1.trace_id,
      accept_v1.idempotency_key, accept_v1.input_hash)
    on conflict (workspace_id, caller_id, idempotency_key) where idempotency_key is not null do nothing
    returning e.* into accept_v1.execution;
    if not found then
      raise exception 'the idempotency key was used before' using errcode = 'SL001';
    end if;
  end $$;
`;
