import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * warm_up: what was invalidated in a workspace and has yet to be run again. It is written with the invalidation itself, so
 * that no death of a process loses it. The horizon of the finished order is each workspace's own, as their history is kept for
 * times of their own.
 */
export class WarmUpsAndHistory1795310000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table orchestrator.warm_up (
        workspace_id text primary key,
        -- Of the saved queries that are concerned: see cache-subjects.ts.
        subjects text[] not null,
        -- The saved queries that have been run again since.
        done text[] not null default '{}',
        -- Of the last invalidation.
        revision bigint not null,
        asked_at timestamptz not null default now(),
        due_at timestamptz not null,
        leased_until timestamptz
      );
      create index warm_up_due on orchestrator.warm_up (due_at);

      alter table orchestrator.finished_horizon
        drop column only_one,
        -- Empty: of all workspaces, from before each had its own.
        add column workspace_id text not null default '' primary key;
      create index run_of_workspace_finished_at on orchestrator.run (workspace_id, finished_at)
        where finished_at is not null;
    `);
  }

  async down(): Promise<void> {
    throw new Error('the horizons of the workspaces have no place in the schema before');
  }
}
