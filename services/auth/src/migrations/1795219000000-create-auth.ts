import type { MigrationInterface, QueryRunner } from 'typeorm';
import { createMessageTables, dropMessageTables } from '#libs/database';

/**
 * Workspaces, users, groups, sessions, API keys and revocations. What belongs to a user points to workspace and user
 * together, so that not even a fault could lead it into another workspace. No password, token or key is in any column: of
 * each there is only a hash.
 */
export class CreateAuth1795219000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table auth.workspace (
        id text primary key,
        slug text not null constraint workspace_slug_key unique,
        name text not null,
        master_key_id text not null,
        wrapped_key bytea not null,
        created_at timestamptz(3) not null default now()
      )`);

    await runner.query(`
      create table auth.user_account (
        id text collate "C" primary key,
        workspace_id text not null references auth.workspace (id),
        email text not null,
        name text not null,
        name_key text collate "C" not null,
        password_hash text,
        role_names text[] not null,
        attributes jsonb not null default '{}',
        disabled boolean not null default false,
        version integer not null default 1,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        constraint user_account_email_key unique (workspace_id, email),
        constraint user_account_workspace_key unique (workspace_id, id)
      )`);
    await runner.query(`create index user_account_sign_in_idx on auth.user_account (email)`);
    await runner.query(`create index user_account_name_idx on auth.user_account (workspace_id, name_key, id)`);

    await runner.query(`
      create table auth.user_group (
        id text primary key,
        workspace_id text not null references auth.workspace (id),
        name text collate "C" not null,
        created_at timestamptz(3) not null default now(),
        constraint user_group_name_key unique (workspace_id, name),
        constraint user_group_workspace_key unique (workspace_id, id)
      )`);
    await runner.query(`
      create table auth.user_group_member (
        workspace_id text not null,
        user_id text not null,
        group_id text not null,
        primary key (user_id, group_id),
        foreign key (workspace_id, user_id) references auth.user_account (workspace_id, id) on delete cascade,
        foreign key (workspace_id, group_id) references auth.user_group (workspace_id, id) on delete cascade
      )`);
    await runner.query(`create index user_group_member_group_idx on auth.user_group_member (group_id)`);

    await runner.query(`
      create table auth.session (
        id text primary key,
        workspace_id text not null,
        user_id text not null,
        created_at timestamptz(3) not null default now(),
        expires_at timestamptz(3) not null,
        ended_at timestamptz(3),
        foreign key (workspace_id, user_id) references auth.user_account (workspace_id, id) on delete cascade
      )`);
    await runner.query(`create index session_user_idx on auth.session (user_id)`);
    await runner.query(`create index session_expires_at_idx on auth.session (expires_at)`);
    // The salt makes the same successor again for whoever repeats a refresh whose answer was lost.
    await runner.query(`
      create table auth.refresh_token (
        hash bytea primary key,
        session_id text not null references auth.session (id) on delete cascade,
        created_at timestamptz(3) not null default now(),
        expires_at timestamptz(3) not null,
        used_at timestamptz(3),
        successor_salt bytea
      )`);
    await runner.query(`create index refresh_token_session_idx on auth.refresh_token (session_id)`);

    await runner.query(`
      create table auth.api_key (
        id text collate "C" primary key,
        workspace_id text not null,
        user_id text not null,
        maker_key_id text references auth.api_key (id),
        name text not null,
        prefix text not null constraint api_key_prefix_key unique,
        secret_hash bytea not null,
        permissions text[],
        created_at timestamptz(3) not null default now(),
        expires_at timestamptz(3),
        last_used_at timestamptz(3),
        revoked_at timestamptz(3),
        foreign key (workspace_id, user_id) references auth.user_account (workspace_id, id) on delete cascade
      )`);
    await runner.query(`create index api_key_user_idx on auth.api_key (user_id, id) where revoked_at is null`);
    await runner.query(`create index api_key_maker_idx on auth.api_key (maker_key_id) where maker_key_id is not null`);

    await runner.query(`create sequence auth.revocation_revision`);
    await runner.query(`
      create table auth.revocation (
        revision bigint primary key,
        subject text not null check (subject in ('SESSION', 'API_KEY', 'USER')),
        subject_id text not null,
        not_before timestamptz(3) not null
      )`);
    await runner.query(`create index revocation_not_before_idx on auth.revocation (not_before)`);

    await runner.query(`
      create table auth.sign_in_failure (
        key bytea primary key,
        failures integer not null,
        window_ends_at timestamptz not null
      )`);
    await runner.query(`create index sign_in_failure_window_idx on auth.sign_in_failure (window_ends_at)`);

    await createMessageTables(runner, 'auth');
  }

  async down(runner: QueryRunner): Promise<void> {
    await dropMessageTables(runner, 'auth');
    await runner.query(`
      drop table auth.sign_in_failure, auth.revocation, auth.api_key, auth.refresh_token, auth.session,
        auth.user_group_member, auth.user_group, auth.user_account, auth.workspace`);
    await runner.query(`drop sequence auth.revocation_revision`);
  }
}
