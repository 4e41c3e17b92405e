import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import type { Webhook } from '#libs/contracts';
import { inTransaction, type ParsedPage } from '#libs/database';
import { AppError } from '#libs/kernel';
import type { NewWebhook, WebhookChange } from './webhook.input.js';
import { toWebhook, webhookColumns, type WebhookRow } from './webhook.row.js';

/** Each is looked at again and again, and each is asked about every end of its workspace. */
const webhooksMax = 50;

export interface WebhookKey {
  readonly workspaceId: string;
  readonly id: string;
}

type Insert = NewWebhook & WebhookKey & { readonly secret: string; readonly createdById: string };

/** The place of now in the finished order: just before the first transaction that may still end something. */
const xidOfNow = '(pg_snapshot_xmin(pg_current_snapshot())::text::numeric - 1)::text::xid8';
const behindAll = Number.MAX_SAFE_INTEGER;

/** The webhooks of workspaces, as those see them who manage them. */
@Injectable()
export class WebhookRepository {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  async find(workspaceId: string, ids: readonly string[]): Promise<Webhook[]> {
    const rows: WebhookRow[] = await this.dataSource.query(
      `select ${webhookColumns} from orchestrator.webhook w where w.workspace_id = $1 and w.id = any ($2)`,
      [workspaceId, ids],
    );
    return rows.map(toWebhook);
  }

  async get({ workspaceId, id }: WebhookKey): Promise<Webhook> {
    const [webhook] = await this.find(workspaceId, [id]);
    if (!webhook) throw notFound();
    return webhook;
  }

  /** The oldest first. */
  async list(workspaceId: string, page: ParsedPage): Promise<{ webhooks: Webhook[]; totalCount: number }> {
    const rows: WebhookRow[] = await this.dataSource.query(
      `select ${webhookColumns} from orchestrator.webhook w
       where w.workspace_id = $1 and ($2::text is null or w.id collate "C" > $2) order by w.id collate "C" limit $3`,
      [workspaceId, page.after?.[0] ?? null, page.limit],
    );
    const [count]: { n: number }[] = await this.dataSource.query(
      'select count(*)::integer as n from orchestrator.webhook where workspace_id = $1',
      [workspaceId],
    );
    return { webhooks: rows.map(toWebhook), totalCount: count?.n ?? 0 };
  }

  /** What ends from now on is told. */
  async insert(row: Insert): Promise<Webhook> {
    const { id, workspaceId, name, url, enabled, states, savedQueryIds, dataSourceIds, secret, createdById } = row;
    await inTransaction(this.dataSource, async (manager) => {
      // One after the other within a workspace, so that two who make the last one that is allowed are counted.
      await manager.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`webhook ${workspaceId}`]);
      const [count]: { n: number }[] = await manager.query(
        'select count(*)::integer as n from orchestrator.webhook where workspace_id = $1',
        [workspaceId],
      );
      if ((count?.n ?? 0) >= webhooksMax) {
        throw new AppError('input.too_large', `A workspace has at most ${webhooksMax} webhooks.`);
      }
      await manager.query(
        `insert into orchestrator.webhook (id, workspace_id, name, url, state, states, saved_query_ids, data_source_ids,
           secret, created_by_id, told_xid, told_seq)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, ${xidOfNow}, ${behindAll})`,
        [
          ...[id, workspaceId, name, url, enabled ? 'ENABLED' : 'DISABLED'],
          ...[states, savedQueryIds, dataSourceIds, secret, createdById],
        ],
      );
    });
    return this.get(row);
  }

  /** What ended while it was not enabled is not told, and another receiver has not failed yet. @throws AppError `webhook.not_found`, `entity.conflict` */
  async update(key: WebhookKey, version: number, change: WebhookChange): Promise<Webhook> {
    const { enabled } = change;
    const [rows]: [unknown[], number] = await this.dataSource.query(
      `update orchestrator.webhook set name = coalesce($4, name), url = coalesce($5, url), states = coalesce($6, states),
         saved_query_ids = coalesce($7, saved_query_ids), data_source_ids = coalesce($8, data_source_ids),
         version = version + 1, failing_since = case when $5 <> url or $9 then null else failing_since end
         ${enabled === undefined ? '' : stateAssignments(enabled)}
       where workspace_id = $1 and id = $2 and version = $3 returning 1`,
      [
        ...[key.workspaceId, key.id, version, change.name ?? null, change.url ?? null],
        ...[change.states ?? null, change.savedQueryIds ?? null, change.dataSourceIds ?? null, enabled === true],
      ],
    );
    const webhook = await this.get(key);
    if (rows.length > 0) return webhook;
    throw new AppError('entity.conflict', 'It has been changed since it was read. Read it again.', {
      path: ['version'],
    });
  }

  /** The old secret signs beside the new one for a day. @throws AppError `webhook.not_found` */
  async rotateSecret(key: WebhookKey, secret: string): Promise<Webhook> {
    await this.dataSource.query(
      `update orchestrator.webhook set old_secret = secret, old_secret_until = now() + interval '1 day', secret = $3
       where workspace_id = $1 and id = $2`,
      [key.workspaceId, key.id, secret],
    );
    return this.get(key);
  }

  /** What it was about to send is not sent any more. @throws AppError `webhook.not_found` */
  async delete({ workspaceId, id }: WebhookKey): Promise<void> {
    const [rows]: [unknown[], number] = await this.dataSource.query(
      'delete from orchestrator.webhook where workspace_id = $1 and id = $2 returning 1',
      [workspaceId, id],
    );
    if (rows.length === 0) throw notFound();
  }
}

/** One that is enabled already goes on from where it is. */
function stateAssignments(enabled: boolean): string {
  if (!enabled) return `, state = 'DISABLED'`;
  return `, state = 'ENABLED',
    told_xid = case state when 'ENABLED' then told_xid else ${xidOfNow} end,
    told_seq = case state when 'ENABLED' then told_seq else ${behindAll} end,
    told_execution_id = case state when 'ENABLED' then told_execution_id end`;
}

function notFound(): AppError {
  return new AppError('webhook.not_found', 'There is no such webhook.', { path: ['id'] });
}
