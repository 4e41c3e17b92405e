import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whether a source can take a sample of a table. Null where that was not said when its schema was read. */
export class SamplableTables1797060100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table metadata.source_table add column samplable boolean');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table metadata.source_table drop column samplable');
  }
}
