import type { MigrationInterface, QueryRunner } from 'typeorm';
import { acceptWith, account } from './1797030000000-guests-join-with-their-account.js';

/**
 * A run that begins while another holds the lock of its pool waits for it a little where a slot is free, instead of going through
 * the queue, which costs the run a place, the dispatcher a look that holds the lock for longer, and so the next run the same.
 */
export class WaitForThePool1797080000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(waiting);
    await queryRunner.query(beginRun(waitForLock, 'as materialized'));
    // Null and something is not known to be false before that is: each question looked for its equal run twice.
    await queryRunner.query(acceptWith(account, `coalesce(outcome = 'stale', false)`));
  }

  /** What waits for the lock stays: nothing calls it. */
  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(beginRun('', 'as'));
    await queryRunner.query(acceptWith(account));
  }
}

const waiting = `
  -- As try_lock_pool, for who can wait for as long as a look at the queue takes. Others who ask stand in line behind.
  create or replace function orchestrator.lock_pool(pool text) returns boolean language plpgsql
    set lock_timeout = '20ms' as $$
  begin
    perform pg_advisory_xact_lock(hashtextextended('sluice.dispatch.' || pool, 0));
    return true;
  exception when lock_not_available then
    return false;
  end $$;

  create or replace function orchestrator.has_free_slot(of_pool text, worker_live_seconds double precision)
  returns boolean language plpgsql stable as $$
  begin
    return orchestrator.slots(of_pool, worker_live_seconds) > (
      select count(*) from orchestrator.run a
      where a.pool = of_pool and a.state in ('DISPATCHED', 'RUNNING', 'CANCELING'));
  end $$;
`;

const waitForLock = `
    -- Where no slot is free, none is lost by waiting in the queue.
    if not holds_pool and orchestrator.has_free_slot(new.pool, (rules->>'workerLiveSeconds')::double precision) then
      holds_pool := orchestrator.lock_pool(new.pool);
    end if;`;

/** With materialized, whether a slot is free is asked once instead of for each column that depends on it. */
const beginRun = (wait: string, as: string): string => `
  create or replace function orchestrator.begin_run(new orchestrator.run, wait_seconds double precision, rules jsonb)
  returns orchestrator.run language plpgsql as $$
  declare
    holds_pool boolean := orchestrator.try_lock_pool(new.pool);
    refusal jsonb;
    begun orchestrator.run;
  begin
    new.user_id := coalesce(rules->>'accountId', new.user_id);${wait}
    perform orchestrator.note_tenant(new.pool, new.workspace_id);
    with slot ${as} (select holds_pool and orchestrator.is_first(new, rules) as is_free)
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
