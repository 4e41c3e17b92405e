import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How long a statement may run at a source; null where only the settings say. */
export class SourceTimeout1795320100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'alter table metadata.data_source add column timeout_seconds integer check (timeout_seconds >= 1)',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table metadata.data_source drop column timeout_seconds');
  }
}
