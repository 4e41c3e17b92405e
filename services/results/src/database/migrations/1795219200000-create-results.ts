import type { MigrationInterface, QueryRunner } from 'typeorm';
import { createMessageTables, dropMessageTables } from '#libs/database';
import { resultTables, schemaOf } from '../result-tables.js';

/**
 * manifest: one row for each run that has written or has been fenced, and the lock of all that happens to the run's
 *   result. State NONE is a fence mark alone: nothing has been written yet, but older fences are shut out.
 * page: which rows each stored page holds. Pages are only ever added, until all of them go.
 * store: which directory is ours.
 * sweep: which process does a periodic work next.
 */
export class CreateResults1795219200000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await createMessageTables(queryRunner, schemaOf(queryRunner.dataSource));
    const { manifest, page, store, sweep } = resultTables(queryRunner.dataSource);
    await queryRunner.query(`
      create table ${manifest} (
        run_id text primary key,
        workspace_id text not null,
        -- The try whose rows these are; 0 where nothing has been written.
        fence integer not null default 0,
        -- Nothing is taken from this fence or an older one.
        closed_fence integer not null default 0,
        state text not null check (state in ('NONE', 'WRITING', 'COMPLETE', 'PARTIAL')),
        columns jsonb not null default '[]',
        page_count integer not null default 0 check (page_count >= 0),
        row_count bigint not null default 0 check (row_count >= 0),
        byte_count bigint not null default 0 check (byte_count >= 0),
        truncated boolean not null default false,
        inline bytea,
        created_at timestamptz not null default now(),
        -- Null while rows may come.
        expires_at timestamptz,
        -- Since when the rows are gone.
        purged_at timestamptz,
        check (inline is null or page_count = 0),
        check ((state = 'WRITING') = (expires_at is null))
      );
      -- It is compressed already.
      alter table ${manifest} alter column inline set storage external;
      create index manifest_due on ${manifest} (expires_at) where purged_at is null and expires_at is not null;
      create index manifest_purged on ${manifest} (purged_at) where purged_at is not null;
      create index manifest_writing on ${manifest} (created_at) where state = 'WRITING';

      create table ${page} (
        run_id text not null references ${manifest} on delete cascade,
        fence integer not null,
        number integer not null check (number >= 0),
        first_row bigint not null check (first_row >= 0),
        row_count integer not null check (row_count > 0),
        byte_count bigint not null check (byte_count > 0),
        checksum bytea not null check (octet_length(checksum) = 32),
        primary key (run_id, fence, number)
      );
      create unique index page_by_row on ${page} (run_id, fence, first_row);

      create table ${store} (
        only_one boolean primary key default true check (only_one),
        identity text not null,
        -- True since a directory has carried the identity; from then on another is never taken for a new one.
        marked boolean not null default false
      );

      create table ${sweep} (
        name text primary key,
        next_at timestamptz not null
      );
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const { manifest, page, store, sweep } = resultTables(queryRunner.dataSource);
    await queryRunner.query(`drop table ${sweep}, ${store}, ${page}, ${manifest}`);
    await dropMessageTables(queryRunner, schemaOf(queryRunner.dataSource));
  }
}
