import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import type { AuditForwarder } from '#libs/contracts';
import { AuditRepository, escapeLike, hostOf, inTransaction, type ParsedPage } from '#libs/database';
import { AppError, changedMeanwhile } from '#libs/kernel';

export interface NewForwarder {
  readonly id: string;
  readonly workspaceId: string;
  readonly name: string;
  readonly kind: 'WEBHOOK' | 'SYSLOG';
  readonly url: string;
  /** Sealed. */
  readonly secret: string | undefined;
  readonly fromBeginning: boolean;
  readonly createdById: string;
}

/** A forwarder that this instance has for `leaseSeconds`. */
export interface ClaimedForwarder {
  readonly id: string;
  readonly workspaceId: string;
  readonly kind: 'WEBHOOK' | 'SYSLOG';
  readonly url: string;
  readonly secret: string | null;
  readonly forwardedSequence: number;
  readonly attemptCount: number;
}

interface Row extends Omit<AuditForwarder, 'forwardedSequence' | 'lastSequence' | 'failingSince' | 'lastFailure'> {
  forwardedSequence: string;
  lastSequence: string;
  failingSince: Date | null;
  lastFailure: string | null;
}

const columns = `f.id, f.name, f.kind, f.url, f.enabled, f.forwarded_sequence as "forwardedSequence",
  coalesce(c.last_sequence, 0) as "lastSequence", f.failing_since as "failingSince", f.last_failure as "lastFailure",
  f.version, f.created_at as "createdAt"`;
const source = `metadata.audit_forwarder f left join metadata.audit_chain c using (workspace_id)`;

/** Where a workspace's entries are forwarded to, and how far that has come. */
@Injectable()
export class AuditForwarderRepository {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly audit: AuditRepository,
  ) {}

  async list(
    workspaceId: string,
    search: string | undefined,
    page: ParsedPage<readonly ['string']>,
  ): Promise<{ rows: AuditForwarder[]; totalCount: number }> {
    const pattern = search === undefined ? null : `%${escapeLike(search)}%`;
    const filter = `f.workspace_id = $1 and ($2::text is null or f.name ilike $2 or ${hostOf('f.url')} ilike $2)`;
    const [rows, counted] = await Promise.all([
      this.database.query<Row[]>(
        `select ${columns} from ${source} where ${filter} and f.id > $3 order by f.id limit $4`,
        [workspaceId, pattern, page.after?.[0] ?? '', page.limit],
      ),
      this.database.query<{ count: string }[]>(`select count(*) from metadata.audit_forwarder f where ${filter}`, [
        workspaceId,
        pattern,
      ]),
    ]);
    return { rows: rows.map(toForwarder), totalCount: Number(counted[0]?.count ?? 0) };
  }

  async insert(forwarder: NewForwarder, forwardersMax: number): Promise<AuditForwarder> {
    const { id, workspaceId, name, kind, url, secret, fromBeginning, createdById } = forwarder;
    return inTransaction(this.database, async (manager) => {
      await manager.query(`select pg_advisory_xact_lock(hashtextextended('metadata.audit_forwarder' || $1, 0))`, [
        workspaceId,
      ]);
      const [counted] = await manager.query<{ count: string }[]>(
        `select count(*) from metadata.audit_forwarder where workspace_id = $1`,
        [workspaceId],
      );
      if (Number(counted?.count) >= forwardersMax) throw tooMany(forwardersMax);
      await manager.query(
        `insert into metadata.audit_forwarder (id, workspace_id, name, kind, url, secret, created_by_id, forwarded_sequence)
         select $1, $2, $3, $4, $5, $6, $7, coalesce(
           (select case when $8 then anchor_sequence else last_sequence end
            from metadata.audit_chain where workspace_id = $2), 0)`,
        [id, workspaceId, name, kind, url, secret ?? null, createdById, fromBeginning],
      );
      const target = { type: 'audit_forwarder', id, name };
      await this.audit.add(manager, {
        action: 'audit_forwarder.created',
        workspaceId,
        target,
        after: auditedOf({ name, kind, url }),
      });
      return get(manager, workspaceId, id);
    });
  }

  /** @throws AppError `audit.forwarder_not_found`, `entity.conflict` */
  async update(
    { workspaceId, id }: { workspaceId: string; id: string },
    version: number,
    change: { readonly name: string | undefined; readonly enabled: boolean | undefined },
  ): Promise<AuditForwarder> {
    return inTransaction(this.database, async (manager) => {
      await manager.query(`select 1 from metadata.audit_forwarder where id = $1 for update`, [id]);
      const before = await get(manager, workspaceId, id);
      if (before.version !== version) throw changedMeanwhile();
      await manager.query(
        `update metadata.audit_forwarder set name = coalesce($2, name), enabled = coalesce($3, enabled),
           version = version + 1, next_attempt_at = now(), attempt_count = 0 where id = $1`,
        [id, change.name ?? null, change.enabled ?? null],
      );
      const after = await get(manager, workspaceId, id);
      await this.audit.add(manager, {
        action: 'audit_forwarder.updated',
        workspaceId,
        target: { type: 'audit_forwarder', id, name: after.name },
        before: { name: before.name, enabled: before.enabled },
        after: { name: after.name, enabled: after.enabled },
      });
      return after;
    });
  }

  /** @throws AppError `audit.forwarder_not_found` */
  async delete(workspaceId: string, id: string): Promise<void> {
    await inTransaction(this.database, async (manager) => {
      const { name, kind, url } = await get(manager, workspaceId, id);
      await manager.query(`delete from metadata.audit_forwarder where id = $1`, [id]);
      const target = { type: 'audit_forwarder', id, name };
      await this.audit.add(manager, {
        action: 'audit_forwarder.deleted',
        workspaceId,
        target,
        before: auditedOf({ name, kind, url }),
      });
    });
  }

  /** Takes those that have something to forward, so that no other instance does meanwhile. */
  async claim(limit: number, leaseSeconds: number): Promise<ClaimedForwarder[]> {
    const [rows] = await this.database.query<
      [(Omit<ClaimedForwarder, 'forwardedSequence'> & { forwardedSequence: string })[], number]
    >(
      `update metadata.audit_forwarder f set next_attempt_at = now() + $2 * interval '1 second'
       where f.id in (
         select due.id from metadata.audit_forwarder due
         join metadata.audit_chain c on c.workspace_id = due.workspace_id and c.last_sequence > due.forwarded_sequence
         where due.enabled and due.next_attempt_at <= now() order by due.next_attempt_at limit $1
         for update of due skip locked)
       returning f.id, f.workspace_id as "workspaceId", f.kind, f.url, f.secret,
         f.forwarded_sequence as "forwardedSequence", f.attempt_count as "attemptCount"`,
      [limit, leaseSeconds],
    );
    return rows.map((row) => ({ ...row, forwardedSequence: Number(row.forwardedSequence) }));
  }

  /** The receiver has all up to here. Whoever was overtaken by another instance moves nothing back. */
  async forwarded({ id, forwardedSequence }: ClaimedForwarder, sequence: number): Promise<void> {
    await this.database.query(
      `update metadata.audit_forwarder set forwarded_sequence = $3, next_attempt_at = now(), attempt_count = 0,
         failing_since = null, last_failure = null where id = $1 and forwarded_sequence = $2`,
      [id, forwardedSequence, sequence],
    );
  }

  async failed({ id, forwardedSequence }: ClaimedForwarder, failure: string, retryInMs: number): Promise<void> {
    await this.database.query(
      `update metadata.audit_forwarder set next_attempt_at = now() + $4 * interval '1 millisecond',
         attempt_count = attempt_count + 1, failing_since = coalesce(failing_since, now()), last_failure = $3
       where id = $1 and forwarded_sequence = $2`,
      [id, forwardedSequence, failure, Math.ceil(retryInMs)],
    );
  }
}

async function get(manager: EntityManager, workspaceId: string, id: string): Promise<AuditForwarder> {
  const [row] = await manager.query<Row[]>(`select ${columns} from ${source} where f.workspace_id = $1 and f.id = $2`, [
    workspaceId,
    id,
  ]);
  if (!row) throw new AppError('audit.forwarder_not_found', 'There is no such forwarder.', { path: ['id'] });
  return toForwarder(row);
}

function toForwarder(row: Row): AuditForwarder {
  return {
    ...row,
    forwardedSequence: Number(row.forwardedSequence),
    lastSequence: Number(row.lastSequence),
    failingSince: row.failingSince ?? undefined,
    lastFailure: row.lastFailure ?? undefined,
  };
}

/** Of the address only the host: with some receivers, the path is what lets one in. */
function auditedOf({ name, kind, url }: Pick<AuditForwarder, 'name' | 'kind' | 'url'>): object {
  return { name, kind, receiver: new URL(url).host };
}

function tooMany(max: number): AppError {
  return new AppError('input.too_large', `The audit log is forwarded to at most ${max} receivers.`);
}
