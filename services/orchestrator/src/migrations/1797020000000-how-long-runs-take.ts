import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * PostgreSQL takes a third of all runs for slow where it knows nothing of their durations, and then looks for the slow ones of the last
 * hour among all that have ended in it instead of in `run_slow`.
 */
export class HowLongRunsTake1797020000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      'create statistics orchestrator.run_duration on (finished_at - started_at) from orchestrator.run',
    );
    // By itself it may be long before a table with a long history is looked at again.
    await queryRunner.query('analyze orchestrator.run');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('drop statistics orchestrator.run_duration');
  }
}
