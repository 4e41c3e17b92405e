import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import type { Webhook } from '#libs/contracts';
import { AuditRepository, escapeLike, hostOf, inTransaction, type ParsedPage } from '#libs/database';
import { AppError, changedMeanwhile } from '#libs/kernel';
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
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly audit: AuditRepository,
  ) {}

  async find(workspaceId: string, ids: readonly string[]): Promise<Webhook[]> {
    return find(this.dataSource.manager, workspaceId, ids);
  }

  async get(key: WebhookKey): Promise<Webhook> {
    return get(this.dataSource.manager, key);
  }

  /** The oldest first. */
  async list(
    workspaceId: string,
    search: string | undefined,
    page: ParsedPage,
  ): Promise<{ webhooks: Webhook[]; totalCount: number }> {
    const pattern = search === undefined ? null : `%${escapeLike(search)}%`;
    const filter = `w.workspace_id = $1 and ($2::text is null or w.name ilike $2 or ${hostOf('w.url')} ilike $2)`;
    const rows: WebhookRow[] = await this.dataSource.query(
      `select ${webhookColumns} from orchestrator.webhook w
       where ${filter} and ($3::text is null or w.id collate "C" > $3) order by w.id collate "C" limit $4`,
      [workspaceId, pattern, page.after?.[0] ?? null, page.limit],
    );
    const [count]: { n: number }[] = await this.dataSource.query(
      `select count(*)::integer as n from orchestrator.webhook w where ${filter}`,
      [workspaceId, pattern],
    );
    return { webhooks: rows.map(toWebhook), totalCount: count?.n ?? 0 };
  }

  /** What ends from now on is told. */
  async insert(row: Insert): Promise<Webhook> {
    const { id, workspaceId, name, url, enabled, states, savedQueryIds, dataSourceIds, secret, createdById } = row;
    return inTransaction(this.dataSource, async (manager) => {
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
      const made = await get(manager, row);
      const after = auditedOf(made);
      await this.audit.add(manager, { action: 'webhook.created', target: targetOf(made), workspaceId, after });
      return made;
    });
  }

  /** What ended while it was not enabled is not told, and another receiver has not failed yet. @throws AppError `webhook.not_found`, `entity.conflict` */
  async update(key: WebhookKey, version: number, change: WebhookChange): Promise<Webhook> {
    const { workspaceId } = key;
    return inTransaction(this.dataSource, async (manager) => {
      const current = await lock(manager, key);
      if (current.version !== version) throw changedMeanwhile();
      await write(manager, key, change);
      const changed = await get(manager, key);
      const [before, after] = [auditedOf(current), auditedOf(changed)];
      await this.audit.add(manager, {
        action: 'webhook.updated',
        target: targetOf(changed),
        workspaceId,
        before,
        after,
      });
      return changed;
    });
  }

  /** The old secret signs beside the new one for a day. @throws AppError `webhook.not_found` */
  async rotateSecret(key: WebhookKey, secret: string): Promise<Webhook> {
    const { workspaceId } = key;
    return inTransaction(this.dataSource, async (manager) => {
      await manager.query(
        `update orchestrator.webhook set old_secret = secret, old_secret_until = now() + interval '1 day', secret = $3
         where workspace_id = $1 and id = $2`,
        [workspaceId, key.id, secret],
      );
      const webhook = await get(manager, key);
      await this.audit.add(manager, { action: 'webhook.secret_rotated', target: targetOf(webhook), workspaceId });
      return webhook;
    });
  }

  /** What it was about to send is not sent any more. @throws AppError `webhook.not_found` */
  async delete(key: WebhookKey): Promise<void> {
    const { workspaceId, id } = key;
    await inTransaction(this.dataSource, async (manager) => {
      const webhook = await lock(manager, key);
      await manager.query('delete from orchestrator.webhook where id = $1', [id]);
      const before = auditedOf(webhook);
      await this.audit.add(manager, { action: 'webhook.deleted', target: targetOf(webhook), workspaceId, before });
    });
  }
}

async function find(manager: EntityManager, workspaceId: string, ids: readonly string[]): Promise<Webhook[]> {
  const rows: WebhookRow[] = await manager.query(
    `select ${webhookColumns} from orchestrator.webhook w where w.workspace_id = $1 and w.id = any ($2)`,
    [workspaceId, ids],
  );
  return rows.map(toWebhook);
}

async function get(manager: EntityManager, { workspaceId, id }: WebhookKey): Promise<Webhook> {
  const [webhook] = await find(manager, workspaceId, [id]);
  if (!webhook) throw notFound();
  return webhook;
}

async function lock(manager: EntityManager, key: WebhookKey): Promise<Webhook> {
  await manager.query('select 1 from orchestrator.webhook where workspace_id = $1 and id = $2 for update', [
    key.workspaceId,
    key.id,
  ]);
  return get(manager, key);
}

async function write(manager: EntityManager, { workspaceId, id }: WebhookKey, change: WebhookChange): Promise<void> {
  const { enabled } = change;
  await manager.query(
    `update orchestrator.webhook set name = coalesce($3, name), url = coalesce($4, url), states = coalesce($5, states),
       saved_query_ids = coalesce($6, saved_query_ids), data_source_ids = coalesce($7, data_source_ids),
       version = version + 1, failing_since = case when $4 <> url or $8 then null else failing_since end
       ${enabled === undefined ? '' : stateAssignments(enabled)}
     where workspace_id = $1 and id = $2`,
    [
      ...[workspaceId, id, change.name ?? null, change.url ?? null],
      ...[change.states ?? null, change.savedQueryIds ?? null, change.dataSourceIds ?? null, enabled === true],
    ],
  );
}

function targetOf({ id, name }: Webhook): { type: string; id: string; name: string } {
  return { type: 'webhook', id, name };
}

/** Of its address only the host: with some receivers, the path is what lets one in. */
function auditedOf({ name, url, state, filter }: Webhook): object {
  return { name, receiver: new URL(url).origin, state, ...filter };
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
