import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Roles that workspaces make for themselves. Users have them by name, as they have the built-in ones. */
export class Roles1795430000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table auth.role (
        id text collate "C" primary key,
        workspace_id text not null references auth.workspace (id),
        name text collate "C" not null,
        permissions text[] not null,
        version integer not null default 1,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        constraint role_name_key unique (workspace_id, name)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table auth.role');
  }
}
