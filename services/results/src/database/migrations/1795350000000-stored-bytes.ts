import type { MigrationInterface, QueryRunner } from 'typeorm';
import { resultTables } from '../result-tables.js';

/** How much room each result takes, inline or in the store, so that a workspace can be held to so many bytes. */
export class StoredBytes1795350000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const { manifest, page } = resultTables(queryRunner.dataSource);
    await queryRunner.query(`
      alter table ${manifest} add column stored_bytes bigint not null default 0;
      update ${manifest} m set stored_bytes = coalesce(octet_length(inline), 0)
        + coalesce((select sum(p.byte_count) from ${page} p where p.run_id = m.run_id), 0)
        where purged_at is null;
      -- What a workspace holds, youngest first.
      create index manifest_held on ${manifest} (workspace_id, created_at desc)
        include (stored_bytes) where purged_at is null and state in ('COMPLETE', 'PARTIAL');
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const { manifest } = resultTables(queryRunner.dataSource);
    await queryRunner.query(`alter table ${manifest} drop column stored_bytes`);
  }
}
