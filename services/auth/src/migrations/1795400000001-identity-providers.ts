import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Identity providers, whom they have named, sign-ins under way and the sessions of browsers. Secrets of providers are sealed
 * by the workspace's data key; of what a browser holds there are only hashes.
 */
export class IdentityProviders1795400000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table auth.workspace add column sso_enforced boolean not null default false`);

    await runner.query(`
      create table auth.identity_provider (
        id text collate "C" primary key,
        workspace_id text not null references auth.workspace (id),
        name text not null,
        name_key text collate "C" not null,
        kind text not null,
        enabled boolean not null,
        options jsonb not null,
        secret_names text[] not null default '{}',
        sealed_secrets text,
        email_domains text[] not null default '{}',
        rules jsonb not null default '{}',
        version integer not null default 1,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        constraint identity_provider_name_key unique (workspace_id, name_key),
        constraint identity_provider_workspace_key unique (workspace_id, id)
      )`);

    // Who a subject of a provider is. A user has at most one at each provider.
    await runner.query(`
      create table auth.external_identity (
        provider_id text not null,
        subject text not null,
        workspace_id text not null,
        user_id text not null,
        created_at timestamptz(3) not null default now(),
        last_sign_in_at timestamptz(3) not null default now(),
        primary key (provider_id, subject),
        constraint external_identity_user_key unique (provider_id, user_id),
        foreign key (workspace_id, provider_id) references auth.identity_provider (workspace_id, id) on delete cascade,
        foreign key (workspace_id, user_id) references auth.user_account (workspace_id, id) on delete cascade
      )`);
    await runner.query(`create index external_identity_user_idx on auth.external_identity (user_id)`);

    await runner.query(`
      create table auth.sso_flow (
        state_hash bytea primary key,
        provider_id text not null references auth.identity_provider (id) on delete cascade,
        browser_hash bytea not null,
        origin text not null,
        return_to text not null,
        data jsonb not null default '{}',
        expires_at timestamptz not null
      )`);
    await runner.query(`create index sso_flow_expires_at_idx on auth.sso_flow (expires_at)`);

    await runner.query(`
      create table auth.session_cookie (
        hash bytea primary key,
        session_id text not null references auth.session (id) on delete cascade,
        created_at timestamptz(3) not null default now(),
        expires_at timestamptz(3) not null
      )`);
    await runner.query(`create index session_cookie_session_idx on auth.session_cookie (session_id)`);

    // What a session was opened by, so that the provider can end it.
    await runner.query(`
      create table auth.federated_session (
        session_id text primary key references auth.session (id) on delete cascade,
        provider_id text not null references auth.identity_provider (id) on delete cascade,
        subject text not null,
        provider_session text
      )`);
    await runner.query(`create index federated_session_subject_idx on auth.federated_session (provider_id, subject)`);
    await runner.query(
      `create index federated_session_session_idx on auth.federated_session (provider_id, provider_session)`,
    );

    // What a provider's message was known by, so that it counts once, whichever process it reaches.
    await runner.query(`
      create table auth.seen_message (
        provider_id text not null references auth.identity_provider (id) on delete cascade,
        message_id text not null,
        expires_at timestamptz not null,
        primary key (provider_id, message_id)
      )`);
    await runner.query(`create index seen_message_expires_at_idx on auth.seen_message (expires_at)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      drop table auth.seen_message, auth.federated_session, auth.session_cookie, auth.sso_flow, auth.external_identity,
        auth.identity_provider`);
    await runner.query(`alter table auth.workspace drop column sso_enforced`);
  }
}
