import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The request that records hits, where it comes once more, is answered with what it has recorded, not with the time and age of now. */
export class RepeatedRequestsAreAnsweredAsRecorded1797010000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(repeatHits);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(repeatHitsBefore);
  }
}

const repeatHits = `
  create or replace function orchestrator.repeat_hits(
    execution_ids text[], workspace_ids text[], caller_ids text[], hit_ids text[], trace_ids text[],
    out place integer, out submitted_at timestamptz, out cache_age_seconds double precision
  ) returns setof record language plpgsql set plan_cache_mode = 'force_generic_plan' set enable_seqscan = off as $$
  #variable_conflict use_column
  begin
    perform set_config('synchronous_commit', 'off', true);
    return query
    -- Materialized: by their keys, one after the other. A plan that is made while nothing is known of the tables would else go from the
    -- run to all executions that share it, and be kept.
    with known as materialized (
      select h.* from orchestrator.execution h where h.id = any (repeat_hits.hit_ids) and h.cache_status = 'HIT'
    ),
    -- Materialized: an equal question is looked at once, however often it is asked.
    hit as materialized (
      select h.id as hit_id, h.workspace_id as hit_workspace_id, h.caller_id as hit_caller_id, h.run_id, h.class,
        h.saved_query_id, h.parameters, h.cache_ttl_seconds,
        extract(epoch from now() - r.claimed_at)::double precision as age_seconds
      from known h
      join orchestrator.run r on r.id = h.run_id
      join orchestrator.source s on s.id = r.source_id
      where r.state = 'SUCCEEDED'
        and not s.paused and not s.deleted
        and r.claimed_at > now() - make_interval(secs => h.cache_ttl_seconds)
        -- As is_invalidated, which would be a statement of its own.
        and not exists (
          select from orchestrator.cache_revision c
          where c.workspace_id = r.workspace_id and c.subject = any (r.cache_subjects) and c.revision > r.cache_revision)
    ), asked as (
      select a.place, a.id, a.trace_id, hit.*
      from unnest(repeat_hits.execution_ids, repeat_hits.workspace_ids, repeat_hits.caller_ids, repeat_hits.hit_ids,
        repeat_hits.trace_ids) with ordinality a (id, workspace_id, caller_id, hit_id, trace_id, place)
      join hit on hit.hit_id = a.hit_id and hit.hit_workspace_id = a.workspace_id and hit.hit_caller_id = a.caller_id
    ), made as (
      insert into orchestrator.execution (id, run_id, workspace_id, caller_id, cache_status, cache_ttl_seconds,
        cache_age_seconds, class, saved_query_id, parameters, trace_id,
        own_state, own_version, own_finished_at, own_finished_xid, own_finished_seq)
      select a.id, a.run_id, a.hit_workspace_id, a.hit_caller_id, 'HIT', a.cache_ttl_seconds,
        a.age_seconds, a.class, a.saved_query_id, a.parameters, a.trace_id,
        'SUCCEEDED', 1, now(), pg_current_xact_id(), nextval('orchestrator.finished_seq')
      from asked a
      on conflict (id) do nothing
      returning id
    )
    select a.place::integer, now(), a.age_seconds from asked a
    where (select count(*) from made) = (select count(*) from asked);
    if found then
      return;
    end if;
    -- The same request once more. A statement of its own sees also what was recorded while the one above waited for it.
    return query
    select a.place::integer, e.submitted_at, e.cache_age_seconds
    from unnest(repeat_hits.execution_ids, repeat_hits.workspace_ids, repeat_hits.caller_ids)
      with ordinality a (id, workspace_id, caller_id, place)
    join orchestrator.execution e on e.id = a.id and e.workspace_id = a.workspace_id and e.caller_id = a.caller_id
    where e.cache_status = 'HIT';
  end $$;
`;

const repeatHitsBefore = `
  create or replace function orchestrator.repeat_hits(
    execution_ids text[], workspace_ids text[], caller_ids text[], hit_ids text[], trace_ids text[],
    out place integer, out submitted_at timestamptz, out cache_age_seconds double precision
  ) returns setof record language plpgsql set plan_cache_mode = 'force_generic_plan' as $$
  #variable_conflict use_column
  begin
    perform set_config('synchronous_commit', 'off', true);
    return query
    -- Materialized: an equal question is looked at once, however often it is asked.
    with hit as materialized (
      select h.id as hit_id, h.workspace_id as hit_workspace_id, h.caller_id as hit_caller_id, h.run_id, h.class,
        h.saved_query_id, h.parameters, h.cache_ttl_seconds,
        extract(epoch from now() - r.claimed_at)::double precision as age_seconds
      from orchestrator.execution h
      join orchestrator.run r on r.id = h.run_id
      join orchestrator.source s on s.id = r.source_id
      where h.id = any (repeat_hits.hit_ids) and h.cache_status = 'HIT' and r.state = 'SUCCEEDED'
        and not s.paused and not s.deleted
        and r.claimed_at > now() - make_interval(secs => h.cache_ttl_seconds)
        -- As is_invalidated, which would be a statement of its own.
        and not exists (
          select from orchestrator.cache_revision c
          where c.workspace_id = r.workspace_id and c.subject = any (r.cache_subjects) and c.revision > r.cache_revision)
    ), asked as (
      select a.place, a.id, a.trace_id, hit.*
      from unnest(repeat_hits.execution_ids, repeat_hits.workspace_ids, repeat_hits.caller_ids, repeat_hits.hit_ids,
        repeat_hits.trace_ids) with ordinality a (id, workspace_id, caller_id, hit_id, trace_id, place)
      join hit on hit.hit_id = a.hit_id and hit.hit_workspace_id = a.workspace_id and hit.hit_caller_id = a.caller_id
    ), made as (
      insert into orchestrator.execution (id, run_id, workspace_id, caller_id, cache_status, cache_ttl_seconds,
        cache_age_seconds, class, saved_query_id, parameters, trace_id,
        own_state, own_version, own_finished_at, own_finished_xid, own_finished_seq)
      select a.id, a.run_id, a.hit_workspace_id, a.hit_caller_id, 'HIT', a.cache_ttl_seconds,
        a.age_seconds, a.class, a.saved_query_id, a.parameters, a.trace_id,
        'SUCCEEDED', 1, now(), pg_current_xact_id(), nextval('orchestrator.finished_seq')
      from asked a
      -- The same request once more.
      on conflict (id) do nothing
    )
    select a.place::integer, now(), a.age_seconds from asked a;
  end $$;
`;
