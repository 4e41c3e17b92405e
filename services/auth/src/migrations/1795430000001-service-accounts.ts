import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Service accounts are users without an address, who cannot sign in. API keys may be confined to data sources, saved
 * queries and networks. The guests of a service account are revoked together.
 */
export class ServiceAccounts1795430000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      alter table auth.user_account
        alter column email drop not null,
        add column kind text not null default 'PERSON' check (kind in ('PERSON', 'SERVICE')),
        add constraint user_account_address_check check ((kind = 'PERSON') = (email is not null)),
        add constraint user_account_service_check check (kind = 'PERSON' or password_hash is null)`);
    await runner.query(`
      alter table auth.api_key
        add column data_source_ids text[],
        add column saved_query_ids text[],
        add column networks text[],
        add constraint api_key_reach_check check ((data_source_ids is null) = (saved_query_ids is null))`);
    await runner.query('alter table auth.revocation drop constraint revocation_subject_check');
    await runner.query(`
      alter table auth.revocation add constraint revocation_subject_check
        check (subject in ('SESSION', 'API_KEY', 'USER', 'GUESTS_OF'))`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`delete from auth.revocation where subject = 'GUESTS_OF'`);
    await runner.query('alter table auth.revocation drop constraint revocation_subject_check');
    await runner.query(`
      alter table auth.revocation add constraint revocation_subject_check
        check (subject in ('SESSION', 'API_KEY', 'USER'))`);
    await runner.query(
      'alter table auth.api_key drop column data_source_ids, drop column saved_query_ids, drop column networks',
    );
    await runner.query(`delete from auth.user_account where kind = 'SERVICE'`);
    await runner.query(`
      alter table auth.user_account
        drop constraint user_account_service_check,
        drop constraint user_account_address_check,
        drop column kind,
        alter column email set not null`);
  }
}
