import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How old a kept result may be that answers; null where the saved query or the source does not say. */
export class CacheTtl1795250100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const table of ['saved_query', 'data_source']) {
      await runner.query(
        `alter table metadata.${table} add column cache_ttl_seconds integer check (cache_ttl_seconds >= 0)`,
      );
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['saved_query', 'data_source']) {
      await runner.query(`alter table metadata.${table} drop column cache_ttl_seconds`);
    }
  }
}
