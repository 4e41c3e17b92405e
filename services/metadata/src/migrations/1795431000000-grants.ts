import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What is restricted, and the grants on it. An asset's kind is in its id, so that other kinds need no other table. A
 * restriction outlives its asset: what a deleted one has answered stays closed.
 */
export class Grants1795431000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table metadata.restriction (
        asset_id text collate "C" primary key,
        workspace_id text not null,
        created_at timestamptz(3) not null default now()
      )`);
    await runner.query(`create index restriction_workspace_idx on metadata.restriction (workspace_id)`);
    await runner.query(`
      create table metadata.asset_grant (
        id text collate "C" primary key,
        workspace_id text not null,
        asset_id text collate "C" not null,
        grantee_kind text not null check (grantee_kind in ('USER', 'GROUP')),
        grantee_key text collate "C" not null,
        level text not null check (level in ('DISCOVER', 'RUN', 'EDIT', 'MANAGE')),
        opens_source boolean not null,
        created_by_id text not null,
        created_at timestamptz(3) not null default now(),
        constraint asset_grant_grantee_key unique (asset_id, grantee_kind, grantee_key)
      )`);
    await runner.query(`create index asset_grant_workspace_idx on metadata.asset_grant (workspace_id, id)`);
    // Grows with restrictions and grants alone, so that other changes do not make everyone read them again.
    await runner.query(`
      alter table metadata.workspace_revision add column access_revision bigint not null default 0`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table metadata.workspace_revision drop column access_revision');
    await runner.query('drop table metadata.asset_grant, metadata.restriction');
  }
}
