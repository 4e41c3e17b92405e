import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Workers that are bound to sources or types of source, and take runs from a queue of their own. A run keeps the queue that it
 * was last dispatched to, so that slots are counted by the workers that have them.
 */
export class WorkerBindings1795320000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(tables);
    await queryRunner.query(functions);
  }

  async down(): Promise<void> {
    throw new Error('runs in queues of bound workers would be counted among the others');
  }
}

const tables = `
  alter table orchestrator.worker
    add column queue text not null default 'run-default',
    -- With neither it takes whatever no other worker is bound to.
    add column source_ids text[] not null default '{}',
    add column source_types text[] not null default '{}';
  alter table orchestrator.run add column queue text not null default 'run-default';
  -- Null until it is told: the next question to the source does, as its version is known no more.
  alter table orchestrator.source add column type text;
  update orchestrator.source set version = 0 where not deleted;
  create index source_of_workspace on orchestrator.source (workspace_id);
`;

const functions = `
  -- Whether a worker that was heard of late takes runs of the source. One that workers are bound to stays theirs while
  -- the last of them was heard within hold_seconds.
  create function orchestrator.is_served(of_pool text, of_source text, heard_seconds double precision,
    hold_seconds double precision) returns boolean language sql stable
  begin atomic
    with subject as (
      select of_source as id, (select s.type from orchestrator.source s where s.id = of_source) as type
    ), heard as (
      select w.source_ids <> '{}' or w.source_types <> '{}' as is_bound,
        s.id = any (w.source_ids) or coalesce(s.type = any (w.source_types), false) as is_bound_to_it,
        w.heartbeat_at > now() - make_interval(secs => heard_seconds) as takes_runs
      from orchestrator.worker w cross join subject s
      where w.pool = of_pool and w.heartbeat_at > now() - make_interval(secs => greatest(heard_seconds, hold_seconds))
    )
    select coalesce(case when bool_or(h.is_bound_to_it) then bool_or(h.is_bound_to_it and h.takes_runs)
      else bool_or(not h.is_bound and h.takes_runs) end, false)
    from heard h;
  end;

  -- Which slot is whose the dispatcher alone knows, so nothing passes the queue where workers are bound.
  alter function orchestrator.is_first rename to is_first_of_all;
  create function orchestrator.is_first(new orchestrator.run, rules jsonb) returns boolean language sql stable
  return not exists (
    select from orchestrator.worker w
    where w.pool = new.pool and (w.source_ids <> '{}' or w.source_types <> '{}')
      and w.heartbeat_at > now() - make_interval(secs => (rules->>'bindingHoldSeconds')::double precision)
  ) and orchestrator.is_first_of_all(new, rules);
`;
