import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What a guest runs is in the lane, the pace and the quota of the service account that has let it in: otherwise whoever embeds
 * something could have as many shares as it makes guests. Whose execution it is stays the guest's.
 */
export class GuestsCountAsTheirAccount1795500000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(beginRun);
  }

  async down(): Promise<void> {
    throw new Error('guests would have shares of their own again');
  }
}

const beginRun = `
  -- Begins a run, DISPATCHED at once where it comes before all that waits. Null where an equal one is under way. Raises
  -- SL002 with the refusal as its detail. rules->'warmUp': whether it is begun before anybody asks;
  -- rules->'accountId': whose use it is where that is not the caller's.
  create or replace function orchestrator.begin_run(new orchestrator.run, wait_seconds double precision, rules jsonb)
  returns orchestrator.run language plpgsql as $$
  declare
    holds_pool boolean := orchestrator.try_lock_pool(new.pool);
    refusal jsonb;
    begun orchestrator.run;
  begin
    new.user_id := coalesce(rules->>'accountId', new.user_id);
    perform orchestrator.note_tenant(new.pool, new.workspace_id);
    with slot as (select holds_pool and orchestrator.is_first(new, rules) as is_free)
    insert into orchestrator.run as r (id, workspace_id, flight_key, flight_slot, pool, user_id, class, source_id,
      source, sql, bound_values, reach, rows_max, bytes_max, timeout_ms, request_id, traceparent, attempts_max, keep, cache_subjects,
      queue_deadline, state, fence, dispatched_at, warm_up)
    select new.id, new.workspace_id, new.flight_key, new.flight_slot, new.pool, new.user_id, new.class, new.source_id,
      new.source, new.sql, new.bound_values, new.reach, new.rows_max, new.bytes_max, new.timeout_ms, new.request_id, new.traceparent,
      new.attempts_max, new.keep, new.cache_subjects, now() + make_interval(secs => wait_seconds),
      case when slot.is_free then 'DISPATCHED' else 'QUEUED' end,
      case when slot.is_free then 1 else 0 end,
      case when slot.is_free then now() end,
      coalesce((rules->>'warmUp')::boolean, false)
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
`;
