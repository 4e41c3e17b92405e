import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import type { WebhookDelivery } from '#libs/contracts';
import { inTransaction, type ParsedPage } from '#libs/database';
import { AppError } from '#libs/kernel';
import { deliveryColumns, toDelivery, type DeliveryRow, type StoredAttempt } from './webhook.row.js';

const attemptsKept = 20;

/** A delivery that is ours until its lease ends, with all that an attempt needs. */
export interface ClaimedDelivery {
  readonly id: string;
  readonly webhookId: string;
  readonly workspaceId: string;
  readonly url: string;
  /** As ciphertext; the one before too, while it is good. */
  readonly secrets: readonly string[];
  readonly payload: string;
  /** With this one, since it was made or sent again by hand. */
  readonly attemptCount: number;
  /** When the lease ends, as the database writes it: no other one of this delivery ends then. */
  readonly lease: string;
}

export interface ClaimRules {
  readonly limit: number;
  readonly receiverInFlightMax: number;
  readonly leaseSeconds: number;
}

/** How many more of webhook `w` may be under way, where `$1` is the most of one that answers. */
const free = `case when w.failing_since is null then $1::integer else 1 end - (
  select count(*) from orchestrator.webhook_delivery d
  where d.webhook_id = w.id and d.state = 'PENDING' and d.leased_until > now())`;

/** Webhook `w` is to be sent something now. */
const isDue = `w.state = 'ENABLED' and exists (select from orchestrator.webhook_delivery d
  where d.webhook_id = w.id and d.state = 'PENDING' and d.due_at <= now()) and ${free} > 0`;

/** What comes of a delivery after an attempt. */
export type DeliveryEnd = { readonly state: 'DELIVERED' | 'FAILED' } | { readonly retryInMs: number };

/**
 * The deliveries of webhooks. All orchestrators take from them, each what no other has locked, and what one has taken comes
 * back when its lease ends: so a delivery is sent at least once, and twice where somebody died before he could write it down.
 */
@Injectable()
export class WebhookDeliveryRepository {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /**
   * Those that are due, with receivers that answer first: many dead ones must not keep the others waiting. What of a webhook
   * is free is looked at once it is locked: a statement that both locks and looks would see it as it was before the one who
   * held the lock has taken from it.
   */
  async claim({ limit, receiverInFlightMax, leaseSeconds }: ClaimRules): Promise<ClaimedDelivery[]> {
    // Nearly always there is nothing, which takes no transaction to find out.
    if (!(await this.isAnyDue(receiverInFlightMax))) return [];
    return inTransaction(this.dataSource, async (manager) => {
      const locked: { id: string }[] = await manager.query(
        `select w.id from orchestrator.webhook w where ${isDue}
         order by w.failing_since is not null, random() limit $2 for update skip locked`,
        [receiverInFlightMax, limit],
      );
      if (locked.length === 0) return [];
      const [rows]: [ClaimedDelivery[], number] = await manager.query(
        `with w as (
           select w.*, ${free} as free
           from orchestrator.webhook w where w.id = any ($4)
         ), due as (
           select d.id, w.workspace_id, w.url, w.secret,
             case when w.old_secret_until > now() then w.old_secret end as old_secret
           from w cross join lateral (
             select d.id from orchestrator.webhook_delivery d
             where d.webhook_id = w.id and d.state = 'PENDING' and d.due_at <= now()
             order by d.due_at limit greatest(w.free, 0)) d
           order by w.failing_since is not null limit $2
         )
         update orchestrator.webhook_delivery d set attempt_count = d.attempt_count + 1,
           due_at = now() + make_interval(secs => $3), leased_until = now() + make_interval(secs => $3)
         from due where d.id = due.id
         returning d.id, d.webhook_id as "webhookId", due.workspace_id as "workspaceId", due.url,
           array_remove(array[due.secret, due.old_secret], null) as secrets, d.payload, d.attempt_count as "attemptCount",
           d.leased_until::text as lease`,
        [receiverInFlightMax, limit, leaseSeconds, locked.map(({ id }) => id)],
      );
      return rows;
    });
  }

  private async isAnyDue(receiverInFlightMax: number): Promise<boolean> {
    const [row]: { any: boolean }[] = await this.dataSource.query(
      `select exists (select from orchestrator.webhook w where ${isDue}) as any`,
      [receiverInFlightMax],
    );
    return row?.any === true;
  }

  /** One that was taken by another meanwhile, or is to be sent again by hand, is not written down any more. */
  async record({ id, lease }: ClaimedDelivery, attempt: StoredAttempt, end: DeliveryEnd): Promise<void> {
    const state = 'state' in end ? end.state : 'PENDING';
    await this.dataSource.query(
      `update orchestrator.webhook_delivery set state = $3, leased_until = null,
         due_at = case when $3 = 'PENDING' then now() + $4 * interval '1 millisecond' else due_at end,
         delivered_at = case when $3 = 'DELIVERED' then now() end,
         attempts = case when jsonb_array_length(attempts) >= ${attemptsKept} then attempts - 0 else attempts end || $5::jsonb
       where id = $1 and leased_until = $2::timestamptz and state = 'PENDING'`,
      [id, lease, state, 'retryInMs' in end ? end.retryInMs : 0, JSON.stringify([attempt])],
    );
  }

  /** A receiver that answers is not failing any more. */
  async noteSuccess(webhookId: string): Promise<void> {
    await this.dataSource.query(
      `update orchestrator.webhook set failing_since = null where id = $1 and failing_since is not null`,
      [webhookId],
    );
  }

  /** @returns whether the webhook is given up, now that its receiver has failed for so long; not for another one's failure */
  async noteFailure({ webhookId, url }: ClaimedDelivery, giveUpSeconds: number): Promise<boolean> {
    const [rows]: [{ state: string }[], number] = await this.dataSource.query(
      `update orchestrator.webhook set failing_since = coalesce(failing_since, now()),
         state = case when coalesce(failing_since, now()) <= now() - make_interval(secs => $2) then 'GIVEN_UP' else state end,
         version = version + case when coalesce(failing_since, now()) <= now() - make_interval(secs => $2) then 1 else 0 end
       where id = $1 and state = 'ENABLED' and url = $3 returning state`,
      [webhookId, giveUpSeconds, url],
    );
    return rows[0]?.state === 'GIVEN_UP';
  }

  async find(workspaceId: string, ids: readonly string[]): Promise<WebhookDelivery[]> {
    const rows: DeliveryRow[] = await this.dataSource.query(
      `select ${deliveryColumns} from orchestrator.webhook_delivery d join orchestrator.webhook w on w.id = d.webhook_id
       where w.workspace_id = $1 and d.id = any ($2)`,
      [workspaceId, ids],
    );
    return rows.map(toDelivery);
  }

  /** The newest first. */
  async list(webhookId: string, states: readonly string[], page: ParsedPage): Promise<WebhookDelivery[]> {
    const rows: DeliveryRow[] = await this.dataSource.query(
      `select ${deliveryColumns} from orchestrator.webhook_delivery d
       where d.webhook_id = $1 and ($2::text[] = '{}' or d.state = any ($2))
         and ($3::text is null or d.id collate "C" < $3)
       order by d.id collate "C" desc limit $4`,
      [webhookId, states, page.after?.[0] ?? null, page.limit],
    );
    return rows.map(toDelivery);
  }

  /** Sends it at once, and again as often as a new one. @throws AppError `webhook.not_found`, `webhook.not_enabled` */
  async redeliver(workspaceId: string, id: string): Promise<WebhookDelivery> {
    const [rows]: [unknown[], number] = await this.dataSource.query(
      `update orchestrator.webhook_delivery d set state = 'PENDING', attempt_count = 0, due_at = now(), leased_until = null
       from orchestrator.webhook w
       where d.id = $2 and w.id = d.webhook_id and w.workspace_id = $1 and w.state = 'ENABLED' returning 1`,
      [workspaceId, id],
    );
    const [delivery] = await this.find(workspaceId, [id]);
    if (!delivery) throw new AppError('webhook.not_found', 'There is no such delivery.', { path: ['deliveryId'] });
    if (rows.length > 0) return delivery;
    throw new AppError('webhook.not_enabled', 'Its webhook is not enabled, so that nothing is sent.', {
      path: ['deliveryId'],
    });
  }

  /** What is too old goes, in batches; also what a deleted webhook has left. */
  async purge(days: number, limit: number): Promise<number> {
    const [rows]: [unknown[], number] = await this.dataSource.query(
      `delete from orchestrator.webhook_delivery where id in (
         select id from orchestrator.webhook_delivery where created_at < now() - make_interval(days => $1)
         order by created_at limit $2 for update skip locked)
       returning 1`,
      [days, limit],
    );
    return rows.length;
  }
}
