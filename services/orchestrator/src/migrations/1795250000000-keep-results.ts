import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Finished runs answer later questions: a hit is an execution of a run that has succeeded. cache_revision: when something
 * was last invalidated, in numbers of one sequence; a run carries the number from before it began at its source, so one
 * that began earlier cannot answer for what was invalidated since.
 */
export class KeepResults1795250000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(tables);
    await queryRunner.query(functions);
    await queryRunner.query(accept);
  }

  async down(): Promise<void> {
    throw new Error('executions that were answered from the cache have no place in the schema before');
  }
}

const tables = `
  create sequence orchestrator.cache_revision_seq as bigint;
  -- Its last value is that of a number given only once one was given.
  select nextval('orchestrator.cache_revision_seq');

  create table orchestrator.cache_revision (
    workspace_id text not null,
    -- What results are made of: source:<id>, query:<id>, tag:<name>.
    subject text not null,
    revision bigint not null,
    primary key (workspace_id, subject)
  );

  alter table orchestrator.run
    -- Pairs of type and value, in the order of the placeholders; gone once the run is final.
    add column bound_values jsonb default '[]',
    -- What the source must confirm before the statement is run; gone once the run is final.
    add column reach jsonb,
    add column cache_subjects text[] not null default '{}',
    -- Null until the run begins at its source.
    add column cache_revision bigint,
    -- The run that was under way and could not be joined when this one began; equal questions share the one behind it.
    add column flight_slot text not null default '';
  drop index orchestrator.run_flight;
  create unique index run_flight on orchestrator.run (flight_key, flight_slot)
    where state in ('QUEUED', 'DISPATCHED', 'RUNNING');
  create index run_kept on orchestrator.run (flight_key, claimed_at) where state = 'SUCCEEDED';

  alter table orchestrator.execution
    -- As the caller's words came to values.
    add column parameters jsonb not null default '{}',
    -- Seconds from when the source was read; null where no kept result was wanted.
    add column cache_ttl_seconds double precision,
    -- Of a kept result when it answered.
    add column cache_age_seconds double precision,
    drop constraint execution_cache_status_check,
    add constraint execution_cache_status_check
      check (cache_status in ('MISS', 'SHARED', 'HIT', 'STALE', 'BYPASS')),
    -- Answered by a kept result, it is SUCCEEDED at once, whatever its run has been through.
    drop constraint execution_own_state_check,
    add constraint execution_own_state_check check (own_state in ('CANCELED', 'SUCCEEDED'));
`;

const functions = `
  -- Nothing was released that calls it.
  drop function orchestrator.accept_v1;

  -- Whether something that the run is made of was invalidated after it began at its source.
  create function orchestrator.is_invalidated(r orchestrator.run) returns boolean language sql stable
  return exists (
    select from orchestrator.cache_revision c
    where c.workspace_id = r.workspace_id and c.subject = any (r.cache_subjects) and c.revision > r.cache_revision
  );

  -- The equal run that may be shared. One that reads its source already is as old as that.
  create function orchestrator.join_run(flight_key bytea, class smallint, may_have_begun boolean)
  returns orchestrator.run language plpgsql as $$
  #variable_conflict use_column
  declare
    joined orchestrator.run;
  begin
    -- What waits in a less urgent class moves up.
    if exists (
      select from orchestrator.run r
      where r.flight_key = join_run.flight_key and r.state = 'QUEUED' and r.class > join_run.class
    ) then
      update orchestrator.run r set class = join_run.class
      where r.flight_key = join_run.flight_key and r.state = 'QUEUED' and r.class > join_run.class;
    end if;
    -- FOR SHARE holds off the last leaver, who takes FOR UPDATE; any number join at once.
    select r.* into joined from orchestrator.run r
    where r.flight_key = join_run.flight_key and (
      r.state in ('QUEUED', 'DISPATCHED')
      or r.state = 'RUNNING' and may_have_begun and not orchestrator.is_invalidated(r))
    order by r.submitted_at desc limit 1 for share;
    return joined;
  end $$;
`;

/**
 * Answers a submission by a kept result, by the equal run that is under way or by a new run, and makes the caller's
 * execution.
 *
 * outcome: 'hit'; 'stale' with the run that refreshes it, where one was begun; 'begun'; 'joined'. With nothing done:
 * 'source_unknown' where this version of the source has yet to be taken over, 'source_deleted', 'source_paused'.
 *
 * max_age_seconds 0 takes no kept result, and no run that has begun at its source.
 *
 * queue_rules: see queue-rules.ts. Raises SL002 where the run that would begin is refused; what is kept or under way answers all
 * the same.
 *
 * Raises SL001 where the idempotency key was used before, so that no run without an execution stays behind.
 */
const accept = `
  create function orchestrator.accept_v2(
    execution_id text, run_id text, workspace_id text, caller_id text, flight_key bytea, pool text, class smallint,
    source_id text, source_version integer, source bytea, sql text, rows_max bigint, bytes_max bigint,
    timeout_ms integer, request_id text, traceparent text, trace_id text, attempts_max integer,
    wait_seconds double precision, queue_rules jsonb, saved_query_id text, idempotency_key text,
    input_hash bytea, cache_subjects text[], max_age_seconds double precision, stale_seconds double precision,
    bound_values jsonb, reach jsonb, parameters jsonb,
    out outcome text, out run orchestrator.run, out execution orchestrator.execution, out refresh orchestrator.run
  ) language plpgsql as $$
  #variable_conflict use_column
  declare
    takes_kept boolean := accept_v2.max_age_seconds > 0;
    age_seconds double precision;
    candidate orchestrator.run;
  begin
    outcome := coalesce((
      select case when s.deleted then 'source_deleted' when s.version < accept_v2.source_version then 'source_unknown'
        when s.paused then 'source_paused' end
      from orchestrator.source s where s.id = accept_v2.source_id
    ), case when exists (select from orchestrator.source s where s.id = accept_v2.source_id) then null
      else 'source_unknown' end);
    if outcome is not null then
      return;
    end if;
    candidate.id := accept_v2.run_id;
    candidate.workspace_id := accept_v2.workspace_id;
    candidate.flight_key := accept_v2.flight_key;
    candidate.flight_slot := '';
    candidate.pool := accept_v2.pool;
    candidate.user_id := accept_v2.caller_id;
    candidate.class := accept_v2.class;
    candidate.source_id := accept_v2.source_id;
    candidate.source := accept_v2.source;
    candidate.sql := accept_v2.sql;
    candidate.bound_values := accept_v2.bound_values;
    candidate.reach := accept_v2.reach;
    candidate.rows_max := accept_v2.rows_max;
    candidate.bytes_max := accept_v2.bytes_max;
    candidate.timeout_ms := accept_v2.timeout_ms;
    candidate.request_id := accept_v2.request_id;
    candidate.traceparent := accept_v2.traceparent;
    candidate.attempts_max := accept_v2.attempts_max;
    candidate.cache_subjects := accept_v2.cache_subjects;
    candidate.keep := false;

    if takes_kept then
      select r.* into accept_v2.run from orchestrator.run r
      where r.flight_key = accept_v2.flight_key and r.state = 'SUCCEEDED'
        and r.claimed_at > now() - make_interval(secs => accept_v2.max_age_seconds + accept_v2.stale_seconds)
        and not orchestrator.is_invalidated(r)
      order by r.claimed_at desc limit 1;
      if found then
        age_seconds := extract(epoch from now() - (accept_v2.run).claimed_at);
        outcome := case when age_seconds < accept_v2.max_age_seconds then 'hit' else 'stale' end;
      end if;
    end if;

    if outcome = 'stale' and (orchestrator.join_run(accept_v2.flight_key, accept_v2.class, true)).id is null then
      candidate.keep := true;
      refresh := orchestrator.begin_refresh(candidate, accept_v2.wait_seconds, accept_v2.queue_rules);
    end if;

    -- A run may slip away between finding it and joining it. Each time it has ended, so a new one can begin.
    for attempt in 1..10 loop
      exit when outcome is not null;
      run := orchestrator.join_run(accept_v2.flight_key, accept_v2.class, takes_kept);
      if (accept_v2.run).id is not null then
        outcome := 'joined';
        exit;
      end if;
      candidate.flight_slot := coalesce((
        select r.id from orchestrator.run r
        where r.flight_key = accept_v2.flight_key and r.state = 'RUNNING' order by r.submitted_at desc limit 1), '');
      run := orchestrator.begin_run(candidate, accept_v2.wait_seconds, accept_v2.queue_rules);
      if (accept_v2.run).id is not null then
        outcome := 'begun';
      end if;
    end loop;
    if outcome is null then
      raise exception 'an equal run began and ended again and again';
    end if;

    insert into orchestrator.execution as e (id, run_id, workspace_id, caller_id, cache_status, cache_ttl_seconds,
      cache_age_seconds, class, saved_query_id, parameters, trace_id, idempotency_key, input_hash,
      own_state, own_version, own_finished_at, own_finished_xid, own_finished_seq)
    select accept_v2.execution_id, (accept_v2.run).id, accept_v2.workspace_id, accept_v2.caller_id,
      case outcome when 'hit' then 'HIT' when 'stale' then 'STALE' when 'joined' then 'SHARED'
        else case when takes_kept then 'MISS' else 'BYPASS' end end,
      case when takes_kept then accept_v2.max_age_seconds end, age_seconds,
      accept_v2.class, accept_v2.saved_query_id, accept_v2.parameters, accept_v2.trace_id, accept_v2.idempotency_key, accept_v2.input_hash,
      kept.state, kept.version, kept.at, kept.xid, kept.seq
    from (select 1) one left join lateral (
      select 'SUCCEEDED' as state, 1 as version, now() as at, pg_current_xact_id() as xid,
        nextval('orchestrator.finished_seq') as seq
    ) kept on outcome in ('hit', 'stale')
    on conflict (workspace_id, caller_id, idempotency_key) where idempotency_key is not null do nothing
    returning e.* into accept_v2.execution;
    if not found then
      raise exception 'the idempotency key was used before' using errcode = 'SL001';
    end if;
  end $$;
`;
