import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What took a second and more, by its end: so that operators find the slowest of the last hour among few rows. */
export class SlowRuns1795538000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create index run_slow on orchestrator.run (workspace_id, finished_at)
        where finished_at - started_at > interval '1 second'
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('drop index orchestrator.run_slow');
  }
}
