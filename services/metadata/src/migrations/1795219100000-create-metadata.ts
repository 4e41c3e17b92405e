import type { MigrationInterface, QueryRunner } from 'typeorm';
import { createMessageTables, dropMessageTables } from '#libs/database';

/**
 * Data sources with their secrets as ciphertext, the tables last read from them, and saved queries. Workspace and id
 * together are what a saved query points to, so that not even a fault could lead it into another workspace.
 */
export class CreateMetadata1795219100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table metadata.data_source (
        id text primary key,
        workspace_id text not null,
        name text not null,
        name_key text collate "C" not null,
        type text not null,
        options jsonb not null,
        secret_names text[] not null default '{}',
        master_key_id text,
        wrapped_key bytea,
        ciphertext bytea,
        max_concurrent_executions integer not null check (max_concurrent_executions between 1 and 1000),
        paused boolean not null default false,
        version integer not null default 1,
        schema_refreshed_at timestamptz(3),
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        constraint data_source_secrets_check check (
          num_nulls(master_key_id, wrapped_key, ciphertext) = case when secret_names = '{}' then 3 else 0 end
        ),
        constraint data_source_workspace_key unique (workspace_id, id)
      )`);
    // Both the guarantee of unique names and the order of the list.
    await runner.query(`create unique index data_source_name_key on metadata.data_source (workspace_id, name_key)`);

    await runner.query(`
      create table metadata.source_table (
        data_source_id text not null references metadata.data_source (id) on delete cascade,
        sort_key text collate "C" not null,
        catalog text,
        schema text,
        name text not null,
        search_key text not null,
        columns jsonb not null,
        primary key (data_source_id, sort_key)
      )`);

    await runner.query(`
      create table metadata.saved_query (
        id text primary key,
        workspace_id text not null,
        data_source_id text not null,
        name text not null,
        name_key text collate "C" not null,
        description text,
        search_key text not null,
        sql text not null,
        tags text[] not null default '{}',
        version integer not null default 1,
        created_by_id text not null,
        updated_by_id text not null,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        constraint saved_query_data_source_fkey foreign key (workspace_id, data_source_id)
          references metadata.data_source (workspace_id, id) on delete restrict
      )`);
    await runner.query(`create index saved_query_name_idx on metadata.saved_query (workspace_id, name_key, id)`);
    await runner.query(
      `create index saved_query_data_source_idx on metadata.saved_query (workspace_id, data_source_id)`,
    );
    await runner.query(`create index saved_query_tags_idx on metadata.saved_query using gin (tags)`);

    await createMessageTables(runner, 'metadata');
  }

  async down(runner: QueryRunner): Promise<void> {
    await dropMessageTables(runner, 'metadata');
    await runner.query(`drop table metadata.saved_query, metadata.source_table, metadata.data_source`);
  }
}
