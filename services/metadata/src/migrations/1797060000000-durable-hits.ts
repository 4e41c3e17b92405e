import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whether the record of a workspace's hits waits for the disk before the answer. */
export class DurableHits1797060000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'alter table metadata.workspace_settings add column durable_hits boolean not null default false',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table metadata.workspace_settings drop column durable_hits');
  }
}
