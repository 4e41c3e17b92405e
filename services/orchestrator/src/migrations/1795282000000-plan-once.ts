import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Every question goes through accept_v2, whose statements look up a row or a few by their keys: no value makes a better
 * plan than the one there is, yet the planner would look for one each time.
 */
export class PlanOnce1795282000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`alter function orchestrator.accept_v2 set plan_cache_mode = 'force_generic_plan'`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`alter function orchestrator.accept_v2 reset plan_cache_mode`);
  }
}
