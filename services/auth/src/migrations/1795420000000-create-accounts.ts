import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Second factors, tokens that set a password, the mails that are to be sent, and what a list of sessions shows. A second
 * factor's secret is sealed by the workspace's data key; of recovery codes and tokens there are only hashes. A mail has no
 * token in it: one is made when it is sent.
 */
export class CreateAccounts1795420000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      alter table auth.workspace
        add column second_factor_required boolean not null default false,
        add column data_key_made_at timestamptz(3) not null default now()`);
    await runner.query(`
      alter table auth.session
        add column last_used_at timestamptz(3) not null default now(),
        add column user_agent text,
        add column client_address text`);
    await runner.query(`alter table auth.session alter column id type text collate "C"`);

    await runner.query(`
      create table auth.second_factor (
        user_id text primary key,
        workspace_id text not null,
        sealed_secret text not null,
        confirmed_at timestamptz(3),
        last_step bigint not null default 0,
        created_at timestamptz(3) not null default now(),
        foreign key (workspace_id, user_id) references auth.user_account (workspace_id, id) on delete cascade
      )`);
    await runner.query(`
      create table auth.recovery_code (
        user_id text not null references auth.second_factor (user_id) on delete cascade,
        hash bytea not null,
        primary key (user_id, hash)
      )`);

    // One for each user: a new one ends the one before it.
    await runner.query(`
      create table auth.password_token (
        user_id text primary key references auth.user_account (id) on delete cascade,
        hash bytea not null constraint password_token_hash_key unique,
        purpose text not null check (purpose in ('RESET', 'INVITATION')),
        expires_at timestamptz(3) not null
      )`);

    // Either somebody with this address has asked, whoever that is, or the user is known.
    await runner.query(`
      create table auth.mail (
        id text collate "C" primary key,
        purpose text not null check (purpose in ('RESET', 'INVITATION')),
        email text,
        workspace_slug text,
        user_id text references auth.user_account (id) on delete cascade,
        failures integer not null default 0,
        due_at timestamptz(3) not null default now(),
        created_at timestamptz(3) not null default now(),
        check ((email is null) <> (user_id is null))
      )`);
    await runner.query(`create index mail_due_at_idx on auth.mail (due_at)`);

    // The secrets that an API key had before, for as long as they still work.
    await runner.query(`
      create table auth.retired_api_key_secret (
        prefix text primary key,
        api_key_id text not null references auth.api_key (id) on delete cascade,
        secret_hash bytea not null,
        good_until timestamptz(3) not null
      )`);
    await runner.query(`create index retired_api_key_secret_key_idx on auth.retired_api_key_secret (api_key_id)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      drop table auth.retired_api_key_secret, auth.mail, auth.password_token, auth.recovery_code, auth.second_factor`);
    await runner.query(
      `alter table auth.session drop column last_used_at, drop column user_agent, drop column client_address`,
    );
    await runner.query(`alter table auth.workspace drop column second_factor_required, drop column data_key_made_at`);
  }
}
