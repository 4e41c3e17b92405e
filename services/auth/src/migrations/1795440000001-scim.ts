import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What an identity provider knows users and groups by. A user of our own has no user name: the address stands for it. */
export class Scim1795440000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      alter table auth.user_account
        add column external_id text,
        add column user_name text,
        add column given_name text,
        add column family_name text`);
    await runner.query(
      `create index user_account_user_name_idx on auth.user_account (workspace_id, lower(coalesce(user_name, email)))`,
    );
    await runner.query(`create index user_account_external_id_idx on auth.user_account (workspace_id, external_id)`);
    await runner.query(`
      alter table auth.user_group
        add column external_id text,
        add column version integer not null default 1,
        add column updated_at timestamptz(3) not null default now()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      `alter table auth.user_group drop column external_id, drop column version, drop column updated_at`,
    );
    await runner.query(`
      alter table auth.user_account
        drop column external_id, drop column user_name, drop column given_name, drop column family_name`);
  }
}
