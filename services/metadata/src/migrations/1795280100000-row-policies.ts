import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which rows people see. A policy is part of its source and goes with it. */
export class RowPolicies1795280100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table metadata.row_policy (
        id text primary key,
        workspace_id text not null,
        data_source_id text not null,
        name text not null,
        name_key text collate "C" not null,
        governed_table jsonb,
        group_names text[] not null,
        exempt_group_names text[] not null,
        key text,
        predicate text not null,
        masks jsonb not null,
        enabled boolean not null,
        version integer not null default 1,
        created_by_id text not null,
        updated_by_id text not null,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        constraint row_policy_data_source_fkey foreign key (workspace_id, data_source_id)
          references metadata.data_source (workspace_id, id) on delete cascade
      )`);
    await runner.query(`create index row_policy_name_idx on metadata.row_policy (workspace_id, name_key, id)`);
    await runner.query(`create index row_policy_data_source_idx on metadata.row_policy (workspace_id, data_source_id)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table metadata.row_policy');
  }
}
