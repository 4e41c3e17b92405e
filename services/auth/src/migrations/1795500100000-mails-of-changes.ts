import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Mails that tell of a changed password, beside those with a link to set one. */
export class MailsOfChanges1795500100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table auth.mail drop constraint mail_purpose_check`);
    await runner.query(
      `alter table auth.mail add constraint mail_purpose_check check (purpose in ('RESET', 'INVITATION', 'CHANGED'))`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`delete from auth.mail where purpose = 'CHANGED'`);
    await runner.query(`alter table auth.mail drop constraint mail_purpose_check`);
    await runner.query(
      `alter table auth.mail add constraint mail_purpose_check check (purpose in ('RESET', 'INVITATION'))`,
    );
  }
}
