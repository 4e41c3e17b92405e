import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What is warmed up is run in a user's name, and that user has not asked for it: it counts among what the workspace uses,
 * and not among what its user may. The functions are those of the migration fair-queue but for that.
 */
export class WarmUpsOfTheWorkspace1795330000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(payer);
    await queryRunner.query(functions);
  }

  async down(): Promise<void> {
    throw new Error('what nobody has asked for would be counted as somebody’s');
  }
}

const payer = `
  alter table orchestrator.run add column warm_up boolean not null default false;

  -- Under whose name a run is counted in usage and spent: a user's, or the workspace's own, which is empty.
  create function orchestrator.payer(r orchestrator.run) returns text language sql immutable
  return case when r.warm_up then '' else r.user_id end;
`;

const functions = `
  create or replace function orchestrator.note_spent() returns trigger language plpgsql as $$
  begin
    insert into orchestrator.spent (workspace_id, user_id, day, seconds, rows, bytes)
    values (new.workspace_id, orchestrator.payer(new), (now() at time zone 'UTC')::date,
      extract(epoch from new.finished_at - new.claimed_at), new.rows, new.bytes);
    return null;
  end $$;

  -- Takes what one run costs of its user's pace and quotas, or of its workspace's quotas alone where it is a warm-up. Where it
  -- is refused, the caller rolls it back.
  create or replace function orchestrator.use_allowance(new orchestrator.run, rules jsonb) returns jsonb language plpgsql as $$
  declare
    step interval := case when new.warm_up then interval '0'
      else interval '1 minute' / (rules->>'runsPerMinute')::integer end;
    payer text := orchestrator.payer(new);
    today date := (now() at time zone 'UTC')::date;
    used orchestrator.usage;
    of_all orchestrator.usage;
  begin
    with gone as (
      delete from orchestrator.spent g
      where g.workspace_id = new.workspace_id and g.user_id = payer
      returning g.*
    ), spent as (
      select coalesce(sum(g.seconds), 0) as seconds, coalesce(sum(g.rows), 0) as rows, coalesce(sum(g.bytes), 0) as bytes
      from gone g where g.day = today
    )
    insert into orchestrator.usage as u (workspace_id, user_id, day, executions, seconds, rows, bytes, paced_until)
    select new.workspace_id, payer, today, 1, s.seconds, s.rows, s.bytes, clock_timestamp() + step from spent s
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
        from orchestrator.usage u where u.workspace_id = new.workspace_id and u.user_id = payer);
    end if;
    -- A workspace without quotas is not summed up.
    if jsonb_strip_nulls(rules->'quotas'->'workspace') <> '{}' then
      select sum(u.executions), sum(u.seconds), sum(u.rows), sum(u.bytes)
      into of_all.executions, of_all.seconds, of_all.rows, of_all.bytes
      from orchestrator.used_today u where u.workspace_id = new.workspace_id;
    end if;
    return coalesce(case when not new.warm_up then orchestrator.quota_refusal(used, rules->'quotas'->'user', 'user') end,
      orchestrator.quota_refusal(of_all, rules->'quotas'->'workspace', 'workspace'));
  end $$;

  -- Begins a run, DISPATCHED at once where it comes before all that waits. Null where an equal one is under way. Raises
  -- SL002 with the refusal as its detail. rules->'warmUp': whether it is begun before anybody asks.
  create or replace function orchestrator.begin_run(new orchestrator.run, wait_seconds double precision, rules jsonb)
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
