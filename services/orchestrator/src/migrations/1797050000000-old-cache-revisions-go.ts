import type { MigrationInterface, QueryRunner } from 'typeorm';

/** cache_revision is not kept for ever: what was the last revision so long ago that no run from before it may answer any more. */
export class OldCacheRevisionsGo1797050000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table orchestrator.cache_horizon (
        -- As the sequence had it at noted_at: runs that have begun since carry this or more.
        revision bigint primary key,
        noted_at timestamptz not null default now()
      )
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('drop table orchestrator.cache_horizon');
  }
}
