import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the parameters of a saved query's template may be, as its author has declared them. */
export class QueryParameters1795270100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table metadata.saved_query add column parameters jsonb not null default '[]'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table metadata.saved_query drop column parameters');
  }
}
