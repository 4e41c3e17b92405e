import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What people like to see. Not of service accounts, who see nothing. */
export class UserPreferences1795460000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table auth.user_preferences (
        workspace_id text not null,
        user_id text collate "C" primary key,
        time_zone text,
        locale text,
        default_data_source_id text,
        foreign key (workspace_id, user_id) references auth.user_account (workspace_id, id) on delete cascade
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table auth.user_preferences');
  }
}
