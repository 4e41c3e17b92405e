import type { MigrationInterface, QueryRunner } from 'typeorm';
import { resultTables } from '../result-tables.js';

/**
 * What metrics tell of kept results: how many bytes the last look has found, which any process may tell, and why the time of
 * a result was ended early. Null: it was not.
 */
export class KeptBytes1797060000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const { manifest, sweep } = resultTables(queryRunner.dataSource);
    await queryRunner.query(`
      alter table ${manifest} add column ended_by text;
      alter table ${sweep} add column found bigint;
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const { manifest, sweep } = resultTables(queryRunner.dataSource);
    await queryRunner.query(`
      alter table ${sweep} drop column found;
      alter table ${manifest} drop column ended_by;
    `);
  }
}
