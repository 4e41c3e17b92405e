import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The audit log in partitions of a quarter, so that what retention has emptied is given back whole and indexes stay small. What
 * is there becomes the first of them as it is: nothing is copied. That a sequence comes once holds within a partition by its key, and
 * over all of them by the lock of the chain, without which nothing is appended.
 */
export class PartitionAudit1796000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      drop trigger audit_entry_kept on metadata.audit_entry;
      drop trigger audit_entry_not_truncated on metadata.audit_entry;
      alter table metadata.audit_entry add column kept_at timestamptz not null default now();
      alter table metadata.audit_entry rename to audit_entry_first;
      create table metadata.audit_entry (
        like metadata.audit_entry_first including defaults including generated,
        foreign key (workspace_id) references metadata.audit_chain (workspace_id)
      ) partition by range (kept_at);
      create trigger audit_entry_kept before update or delete on metadata.audit_entry
        for each row execute function metadata.keep_audit_entry();
      create trigger audit_entry_not_truncated before truncate on metadata.audit_entry
        for each statement execute function metadata.keep_audit_entry();
      create trigger audit_entry_not_truncated before truncate on metadata.audit_entry_first
        for each statement execute function metadata.keep_audit_entry();
    `);
    for (const [name, columns] of Object.entries(indexes)) {
      await runner.query(`
        alter index metadata.audit_entry_${name}_idx rename to audit_entry_first_${name}_idx;
        create index audit_entry_${name}_idx on metadata.audit_entry (${columns})`);
    }
    await runner.query(`
      do $$ begin
        execute format('alter table metadata.audit_entry attach partition metadata.audit_entry_first
          for values from (minvalue) to (%L)', date_trunc('quarter', now(), 'UTC') + interval '3 months');
      end $$`);
    await runner.query(addPartitions);
    await runner.query(dropPartitions);
    await runner.query(`select metadata.add_audit_partitions()`);
  }

  async down(): Promise<void> {
    throw new Error('the release before works on the partitions as well');
  }
}

const indexes = {
  time: 'workspace_id, occurred_at',
  actor: 'workspace_id, actor_id, sequence',
  action: 'workspace_id, action, sequence',
  target: 'workspace_id, target_id, sequence',
};

// A year ahead, so that a release that makes none may run for as long.
const addPartitions = `
  create function metadata.add_audit_partitions() returns void language plpgsql as $$
  declare
    quarter timestamptz;
    name text;
  begin
    for ahead in 1..4 loop
      quarter := date_trunc('quarter', now(), 'UTC') + ahead * interval '3 months';
      name := 'audit_entry_' || to_char(quarter at time zone 'UTC', 'YYYY_q');
      if to_regclass('metadata.' || name) is null then
        execute format('create table metadata.%I partition of metadata.audit_entry (primary key (workspace_id, sequence))
          for values from (%L) to (%L)', name, quarter, quarter + interval '3 months');
        execute format('create trigger audit_entry_not_truncated before truncate on metadata.%I
          for each statement execute function metadata.keep_audit_entry()', name);
      end if;
    end loop;
  end $$`;

// By its bounds one knows when a partition is over.
const dropPartitions = `
  create function metadata.drop_empty_audit_partitions(at timestamptz) returns setof text language plpgsql as $$
  declare
    part record;
    is_used boolean;
  begin
    for part in
      select c.relname as name,
        substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \\(''([^'']+)''\\)')::timestamptz as ends
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'metadata.audit_entry'::regclass
    loop
      continue when part.ends > at;
      execute format('select exists (select from metadata.%I)', part.name) into is_used;
      continue when is_used;
      -- Nothing comes to a quarter that is over, but what began before it ended. The whole first, as readers take them.
      lock table metadata.audit_entry in access exclusive mode;
      execute format('select exists (select from metadata.%I)', part.name) into is_used;
      continue when is_used;
      execute format('drop table metadata.%I', part.name);
      return next part.name;
    end loop;
  end $$`;
