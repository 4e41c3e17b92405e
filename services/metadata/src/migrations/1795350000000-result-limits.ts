import type { MigrationInterface, QueryRunner } from 'typeorm';

/** For how long, and up to which size, a workspace keeps the rows of its results. Null: the installation's. */
export class ResultLimits1795350000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      alter table metadata.workspace_settings
        add column result_days integer check (result_days > 0),
        add column result_bytes_max bigint check (result_bytes_max >= 0)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table metadata.workspace_settings drop column result_days, drop column result_bytes_max');
  }
}
