import type { QueryRunner } from 'typeorm';
import { quoteIdentifier } from './quote-identifier.js';

/** Makes a service's outbox and inbox; to be called from its first migration. */
export async function createMessageTables(runner: QueryRunner, schema: string): Promise<void> {
  const prefix = quoteIdentifier(schema);
  await runner.query(`
    create table ${prefix}.outbox (
      sequence bigint generated always as identity primary key,
      message_id text not null,
      area text not null,
      type text not null,
      envelope bytea not null,
      created_at timestamptz not null default now(),
      published_at timestamptz
    )`);
  await runner.query(`create index outbox_unpublished_idx on ${prefix}.outbox (sequence) where published_at is null`);
  await runner.query(
    `create index outbox_published_at_idx on ${prefix}.outbox (published_at) where published_at is not null`,
  );
  await runner.query(`
    create table ${prefix}.inbox (
      message_id text primary key,
      received_at timestamptz not null default now()
    )`);
  await runner.query(`create index inbox_received_at_idx on ${prefix}.inbox (received_at)`);
}

export async function dropMessageTables(runner: QueryRunner, schema: string): Promise<void> {
  const prefix = quoteIdentifier(schema);
  await runner.query(`drop table ${prefix}.outbox, ${prefix}.inbox`);
}
