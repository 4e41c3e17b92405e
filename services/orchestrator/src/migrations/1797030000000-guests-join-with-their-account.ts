import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The execution of a guest that joins another's run has the guest's account from the first: in one commit, by which it is there or not. */
export class GuestsJoinWithTheirAccount1797030000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(acceptWith(account));
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(acceptWith({ column: '', value: '' }));
  }
}

/** The account of an execution: null where it is the run's, and of who is no guest. */
export const account = {
  column: ', account_id',
  value: `,
      case when outcome = 'joined' then nullif(queue_rules->>'accountId', accept_v2.caller_id) end`,
};

/** The text of accept_v2, for the migrations that change a part of it. */
export const acceptWith = ({ column, value }: typeof account, isStale = `outcome = 'stale'`): string => `
  create or replace function orchestrator.accept_v2(
    execution_id text, run_id text, workspace_id text, caller_id text, flight_key bytea, pool text, class smallint,
    source_id text, source_version integer, source bytea, sql text, rows_max bigint, bytes_max bigint,
    timeout_ms integer, request_id text, traceparent text, trace_id text, attempts_max integer,
    wait_seconds double precision, queue_rules jsonb, saved_query_id text, idempotency_key text,
    input_hash bytea, cache_subjects text[], max_age_seconds double precision, stale_seconds double precision,
    bound_values jsonb, reach jsonb, parameters jsonb,
    out outcome text, out run orchestrator.run, out execution orchestrator.execution, out refresh orchestrator.run
  ) language plpgsql
    set plan_cache_mode = 'force_generic_plan' set enable_seqscan = off set enable_bitmapscan = off as $$
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

    if ${isStale} and (orchestrator.join_run(accept_v2.flight_key, accept_v2.class, true)).id is null then
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
      own_state, own_version, own_finished_at, own_finished_xid, own_finished_seq${column})
    select accept_v2.execution_id, (accept_v2.run).id, accept_v2.workspace_id, accept_v2.caller_id,
      case outcome when 'hit' then 'HIT' when 'stale' then 'STALE' when 'joined' then 'SHARED'
        else case when takes_kept then 'MISS' else 'BYPASS' end end,
      case when takes_kept then accept_v2.max_age_seconds end, age_seconds,
      accept_v2.class, accept_v2.saved_query_id, accept_v2.parameters, accept_v2.trace_id, accept_v2.idempotency_key, accept_v2.input_hash,
      kept.state, kept.version, kept.at, kept.xid, kept.seq${value}
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
