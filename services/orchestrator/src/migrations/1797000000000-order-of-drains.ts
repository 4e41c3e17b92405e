import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which of two words to a worker, to drain and to take runs again, is the later one: they may overtake each other on their way. */
export class OrderOfDrains1797000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table orchestrator.worker add column draining_revision integer not null default 0');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table orchestrator.worker drop column draining_revision');
  }
}
