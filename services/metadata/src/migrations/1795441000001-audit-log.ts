import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The audit log: one chain of entries for each workspace. An entry is its text, which the hash covers together with the place
 * and the hash of the entry before; what is searched by is made of that text and cannot differ from it. The database itself
 * refuses to change or delete entries, but for those before the anchor, and moves the anchor only as retention allows.
 */
export class AuditLog1795441000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table metadata.audit_chain (
        workspace_id text primary key,
        last_sequence bigint not null default 0,
        last_hash bytea not null default decode(repeat('00', 32), 'hex'),
        anchor_sequence bigint not null default 0,
        anchor_hash bytea not null default decode(repeat('00', 32), 'hex'),
        retention_days integer check (retention_days >= 30)
      )`);
    await runner.query(`
      create table metadata.audit_entry (
        workspace_id text not null references metadata.audit_chain (workspace_id),
        sequence bigint not null,
        previous_hash bytea not null,
        hash bytea not null,
        body text not null,
        occurred_at text collate "C" not null generated always as (body::jsonb ->> 'occurredAt') stored,
        action text collate "C" not null generated always as (body::jsonb ->> 'action') stored,
        actor_id text not null generated always as (body::jsonb #>> '{actor,id}') stored,
        target_type text not null generated always as (body::jsonb #>> '{target,type}') stored,
        target_id text not null generated always as (body::jsonb #>> '{target,id}') stored,
        outcome text not null generated always as (body::jsonb ->> 'outcome') stored,
        primary key (workspace_id, sequence)
      )`);
    await runner.query(`create index audit_entry_time_idx on metadata.audit_entry (workspace_id, occurred_at)`);
    await runner.query(`create index audit_entry_actor_idx on metadata.audit_entry (workspace_id, actor_id, sequence)`);
    await runner.query(`create index audit_entry_action_idx on metadata.audit_entry (workspace_id, action, sequence)`);
    await runner.query(
      `create index audit_entry_target_idx on metadata.audit_entry (workspace_id, target_id, sequence)`,
    );
    await guardEntries(runner);
    await guardChain(runner);
    await runner.query(`
      create table metadata.audit_forwarder (
        id text collate "C" primary key,
        workspace_id text not null,
        name text not null,
        kind text not null check (kind in ('WEBHOOK', 'SYSLOG')),
        url text not null,
        secret text,
        enabled boolean not null default true,
        forwarded_sequence bigint not null,
        next_attempt_at timestamptz not null default now(),
        attempt_count integer not null default 0,
        failing_since timestamptz(3),
        last_failure text,
        version integer not null default 1,
        created_by_id text not null,
        created_at timestamptz(3) not null default now()
      )`);
    await runner.query(`create index audit_forwarder_workspace_idx on metadata.audit_forwarder (workspace_id, id)`);
    await runner.query(
      `create index audit_forwarder_due_idx on metadata.audit_forwarder (next_attempt_at) where enabled`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table metadata.audit_forwarder, metadata.audit_entry, metadata.audit_chain`);
    await runner.query(`drop function metadata.keep_audit_entry, metadata.keep_audit_chain`);
  }
}

async function guardEntries(runner: QueryRunner): Promise<void> {
  await runner.query(`
    create function metadata.keep_audit_entry() returns trigger language plpgsql as $$
    begin
      if tg_op = 'DELETE' and exists (
        select from metadata.audit_chain chain
        where chain.workspace_id = old.workspace_id and old.sequence <= chain.anchor_sequence
      ) then
        return old;
      end if;
      raise exception 'entries of the audit log are neither changed nor deleted' using errcode = 'restrict_violation';
    end $$`);
  await runner.query(`
    create trigger audit_entry_kept before update or delete on metadata.audit_entry
    for each row execute function metadata.keep_audit_entry()`);
  await runner.query(`
    create trigger audit_entry_not_truncated before truncate on metadata.audit_entry
    for each statement execute function metadata.keep_audit_entry()`);
}

async function guardChain(runner: QueryRunner): Promise<void> {
  await runner.query(`
    create function metadata.keep_audit_chain() returns trigger language plpgsql as $$
    begin
      if tg_op <> 'UPDATE' or new.workspace_id <> old.workspace_id or new.last_sequence < old.last_sequence
        or new.anchor_sequence < old.anchor_sequence then
        raise exception 'a chain of the audit log only grows' using errcode = 'restrict_violation';
      end if;
      if new.anchor_sequence = old.anchor_sequence and new.anchor_hash = old.anchor_hash then
        return new;
      end if;
      if not exists (
        select from metadata.audit_entry entry
        where entry.workspace_id = old.workspace_id and entry.sequence = new.anchor_sequence
          and entry.hash = new.anchor_hash and old.retention_days is not null
          and entry.occurred_at::timestamptz < now() - old.retention_days * interval '1 day'
      ) then
        raise exception 'the anchor of the audit log moves as retention allows' using errcode = 'restrict_violation';
      end if;
      return new;
    end $$`);
  await runner.query(`
    create trigger audit_chain_kept before update or delete on metadata.audit_chain
    for each row execute function metadata.keep_audit_chain()`);
  await runner.query(`
    create trigger audit_chain_not_truncated before truncate on metadata.audit_chain
    for each statement execute function metadata.keep_audit_chain()`);
}
