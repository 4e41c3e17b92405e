import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Which service account has let in a guest that has joined another's run: by it one knows whether the guest may go on. Null where
 * it is the run's, and of who is no guest.
 */
export class AccountsOfGuests1795560000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table orchestrator.execution add column account_id text`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table orchestrator.execution drop column account_id`);
  }
}
