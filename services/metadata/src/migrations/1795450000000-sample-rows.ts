import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Of how many rows a workspace's questions in SQL text take a sample. Null: of all. */
export class SampleRows1795450000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'alter table metadata.workspace_settings add column sample_rows integer check (sample_rows > 0)',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table metadata.workspace_settings drop column sample_rows');
  }
}
