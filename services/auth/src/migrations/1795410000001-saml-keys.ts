import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The keys that sign requests to SAML identity providers, one for each provider; sealed by the workspace's data key. */
export class SamlKeys1795410000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table auth.saml_key (
        provider_id text primary key,
        workspace_id text not null,
        certificate text not null,
        sealed_key text not null,
        created_at timestamptz(3) not null default now(),
        foreign key (workspace_id, provider_id) references auth.identity_provider (workspace_id, id) on delete cascade
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table auth.saml_key`);
  }
}
