import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Counts the changes of a workspace's assets, so that what others keep of them can be known to be out of date. */
export class CountChanges1795240100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table metadata.workspace_revision (
        workspace_id text primary key,
        revision bigint not null
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table metadata.workspace_revision');
  }
}
