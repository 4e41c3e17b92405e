import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, In } from 'typeorm';
import {
  accessWhere,
  AuditRepository,
  escapeLike,
  type AuditRecord,
  type ParsedPage,
  type ReachedAssets,
} from '#libs/database';
import { AppError } from '#libs/kernel';
import { DataSourceEntity } from '../data-source/data-source.entity.js';
import { WorkspaceRevisions } from '../revision/workspace-revisions.repository.js';
import { RowPolicyEntity } from './row-policy.entity.js';

export interface RowPolicyKey {
  readonly workspaceId: string;
  readonly id: string;
}

interface RowPolicyFilter {
  readonly workspaceId: string;
  readonly dataSourceId: string | undefined;
  readonly search: string | undefined;
  /** Undefined: all. */
  readonly reached: ReachedAssets | undefined;
}

type NewRow = Omit<RowPolicyEntity, 'version' | 'createdAt' | 'updatedAt'>;
type RowChange = Partial<Omit<RowPolicyEntity, 'id' | 'workspaceId' | 'version' | 'createdAt' | 'updatedAt'>>;

/** All of a source's policies travel together, and each is put into every query. */
const policiesOfSourceMax = 200;

/** Whoever sees a policy sees all of this. */
const searched = [
  'policy.name ilike :search',
  'policy.key ilike :search',
  'policy.predicate ilike :search',
  `concat_ws('.', policy.table ->> 'catalog', policy.table ->> 'schema', policy.table ->> 'name') ilike :search`,
];

/** Row policies in PostgreSQL. */
@Injectable()
export class RowPolicyRepository {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly revisions: WorkspaceRevisions,
    private readonly audit: AuditRepository,
  ) {}

  find(workspaceId: string, ids: readonly string[]): Promise<RowPolicyEntity[]> {
    return this.database.manager.findBy(RowPolicyEntity, { workspaceId, id: In([...ids]) });
  }

  /** @throws AppError `row_policy.not_found` */
  async get({ workspaceId, id }: RowPolicyKey): Promise<RowPolicyEntity> {
    const found = await this.database.manager.findOneBy(RowPolicyEntity, { workspaceId, id });
    if (!found) throw rowPolicyNotFound();
    return found;
  }

  findEnabled(workspaceId: string, dataSourceId: string): Promise<RowPolicyEntity[]> {
    return this.database.manager.find(RowPolicyEntity, {
      where: { workspaceId, dataSourceId, enabled: true },
      order: { id: 'asc' },
    });
  }

  async list(
    { workspaceId, dataSourceId, search, reached }: RowPolicyFilter,
    page: ParsedPage<readonly ['string', 'string']>,
  ): Promise<{ rows: RowPolicyEntity[]; totalCount: number }> {
    const all = this.database
      .getRepository(RowPolicyEntity)
      .createQueryBuilder('policy')
      .where('policy.workspaceId = :workspaceId', { workspaceId });
    if (dataSourceId !== undefined) all.andWhere('policy.dataSourceId = :dataSourceId', { dataSourceId });
    if (search !== undefined) all.andWhere(`(${searched.join(' or ')})`, { search: `%${escapeLike(search)}%` });
    if (reached) accessWhere(all, reached, { source: 'policy.dataSourceId' });
    const rows = all.clone().orderBy('policy.nameKey').addOrderBy('policy.id').limit(page.limit);
    if (page.after) {
      const [nameKey, id] = page.after;
      rows.andWhere('(policy.nameKey, policy.id) > (:nameKey, :id)', { nameKey, id });
    }
    const [totalCount, shown] = await Promise.all([all.getCount(), rows.getMany()]);
    return { rows: shown, totalCount };
  }

  /** @throws AppError `source.not_found` where the workspace has no such data source */
  async insert(row: NewRow): Promise<RowPolicyEntity> {
    const { workspaceId, dataSourceId } = row;
    return this.revisions.change(workspaceId, async (manager) => {
      // Locked, so that two who make the last one that is allowed are counted.
      const source = await manager.findOne(DataSourceEntity, {
        where: { workspaceId, id: dataSourceId },
        lock: { mode: 'pessimistic_write' },
      });
      if (!source) throw sourceNotFound();
      if ((await manager.countBy(RowPolicyEntity, { dataSourceId })) >= policiesOfSourceMax) throw tooMany();
      await manager.insert(RowPolicyEntity, row);
      const made = await manager.findOneByOrFail(RowPolicyEntity, { id: row.id });
      await this.audit.add(manager, { action: 'row_policy.created', ...targetOf(made), after: auditedOf(made) });
      return made;
    });
  }

  /**
   * Changes a policy that is still at `version`.
   * @throws AppError `row_policy.not_found`, `entity.conflict`
   */
  async update({ workspaceId, id }: RowPolicyKey, version: number, change: RowChange): Promise<RowPolicyEntity> {
    return this.revisions.change(workspaceId, async (manager) => {
      const current = await manager.findOne(RowPolicyEntity, {
        where: { workspaceId, id },
        lock: { mode: 'pessimistic_write' },
      });
      if (!current) throw rowPolicyNotFound();
      assertVersion(current, version);
      await manager.update(RowPolicyEntity, { id }, { ...change, version: version + 1, updatedAt: () => 'now()' });
      const changed = await manager.findOneByOrFail(RowPolicyEntity, { id });
      const [before, after] = [auditedOf(current), auditedOf(changed)];
      await this.audit.add(manager, { action: 'row_policy.updated', ...targetOf(changed), before, after });
      return changed;
    });
  }

  /** @throws AppError `row_policy.not_found` */
  async delete({ workspaceId, id }: RowPolicyKey): Promise<void> {
    await this.revisions.change(workspaceId, async (manager) => {
      const current = await manager.findOne(RowPolicyEntity, {
        where: { workspaceId, id },
        lock: { mode: 'pessimistic_write' },
      });
      if (!current) throw rowPolicyNotFound();
      await manager.delete(RowPolicyEntity, { id });
      const before = auditedOf(current);
      await this.audit.add(manager, { action: 'row_policy.deleted', ...targetOf(current), before });
    });
  }
}

/** @throws AppError `entity.conflict` */
export function assertVersion(current: RowPolicyEntity, version: number): void {
  if (current.version === version) return;
  throw new AppError('entity.conflict', 'It has been changed since it was read. Read it again.', {
    path: ['version'],
  });
}

export function sourceNotFound(): AppError {
  return new AppError('source.not_found', 'There is no such data source.', { path: ['dataSourceId'] });
}

function targetOf({ id, name, workspaceId }: RowPolicyEntity): Pick<AuditRecord, 'target' | 'workspaceId'> {
  return { workspaceId, target: { type: 'row_policy', id, name } };
}

function auditedOf(row: RowPolicyEntity): object {
  const { name, dataSourceId, table, groupNames, exemptGroupNames, key, predicate, masks, enabled } = row;
  return { name, dataSourceId, table, groupNames, exemptGroupNames, key, predicate, masks, enabled };
}

export function rowPolicyNotFound(): AppError {
  return new AppError('row_policy.not_found', 'There is no such row policy.', { path: ['id'] });
}

function tooMany(): AppError {
  return new AppError('input.too_large', `A data source has at most ${policiesOfSourceMax} row policies.`, {
    path: ['dataSourceId'],
  });
}
