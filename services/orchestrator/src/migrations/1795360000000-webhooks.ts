import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Webhooks and what they have to send. They read the order of final states; whoever ends a run does nothing for them. */
export class Webhooks1795360000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table orchestrator.webhook (
        id text primary key,
        workspace_id text not null,
        name text not null,
        url text not null,
        state text not null check (state in ('ENABLED', 'DISABLED', 'GIVEN_UP')),
        -- An empty list takes all.
        states text[] not null,
        saved_query_ids text[] not null,
        data_source_ids text[] not null,
        -- Envelope ciphertext, bound to the webhook.
        secret text not null,
        old_secret text,
        old_secret_until timestamptz,
        version integer not null default 1,
        created_by_id text not null,
        created_at timestamptz not null default now(),
        failing_since timestamptz,
        -- The place in the finished order up to which it was told; see finished.repository.ts.
        told_xid xid8 not null,
        told_seq bigint not null,
        told_execution_id text
      );
      create index webhook_of_workspace on orchestrator.webhook (workspace_id, id collate "C");

      create table orchestrator.webhook_delivery (
        id text primary key,
        -- No foreign key: what a deleted webhook has sent goes with its age, not all at once.
        webhook_id text not null,
        execution_id text not null,
        event_type text not null,
        -- The very bytes of each attempt.
        payload text not null,
        state text not null default 'PENDING' check (state in ('PENDING', 'DELIVERED', 'FAILED')),
        attempt_count integer not null default 0,
        attempts jsonb not null default '[]',
        due_at timestamptz not null default now(),
        -- Until then somebody has it under way.
        leased_until timestamptz,
        created_at timestamptz not null default now(),
        delivered_at timestamptz,
        unique (webhook_id, execution_id)
      );
      create index webhook_delivery_due on orchestrator.webhook_delivery (webhook_id, due_at) where state = 'PENDING';
      create index webhook_delivery_log on orchestrator.webhook_delivery (webhook_id, id collate "C");
      create index webhook_delivery_age on orchestrator.webhook_delivery (created_at);

      -- Those who have left a run that went on; what a kept result has answered is not among them.
      create index execution_left on orchestrator.execution (workspace_id, own_finished_xid, own_finished_seq)
        where own_state = 'CANCELED';
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      drop index orchestrator.execution_left;
      drop table orchestrator.webhook_delivery, orchestrator.webhook;
    `);
  }
}
