import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a workspace sets for itself, and which of its saved queries are run again when what they stand on is invalidated. */
export class WorkspaceSettings1795310100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // A workspace that has set nothing has no row. Null: the installation's.
    await runner.query(`
      create table metadata.workspace_settings (
        workspace_id text primary key,
        time_zone text,
        cache_ttl_seconds integer check (cache_ttl_seconds >= 0),
        history_days integer check (history_days > 0),
        user_quotas jsonb not null default '{}',
        workspace_quotas jsonb not null default '{}',
        version integer not null
      )`);
    await runner.query(`alter table metadata.saved_query add column warm_up boolean not null default false`);
    await runner.query(`create index saved_query_warm_up_idx on metadata.saved_query (workspace_id, id) where warm_up`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table metadata.saved_query drop column warm_up');
    await runner.query('drop table metadata.workspace_settings');
  }
}
