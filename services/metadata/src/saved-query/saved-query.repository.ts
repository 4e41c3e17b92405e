import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, In, MoreThan, type EntityManager, type ObjectLiteral, type Repository } from 'typeorm';
import {
  accessWhere,
  AuditRepository,
  escapeLike,
  isForeignKeyViolation,
  type AuditRecord,
  type ParsedPage,
  type ReachedAssets,
} from '#libs/database';
import { AppError, changedMeanwhile } from '#libs/kernel';
import { GrantRepository } from '../access/grant.repository.js';
import { WorkspaceRevisions } from '../revision/workspace-revisions.repository.js';
import { SavedQueryEntity } from './saved-query.entity.js';

export interface SavedQueryFilter {
  readonly workspaceId: string;
  readonly search: string | undefined;
  readonly tags: readonly string[];
  /** Undefined: all. */
  readonly reached: ReachedAssets | undefined;
}

export interface SavedQueryKey {
  readonly workspaceId: string;
  readonly id: string;
}

type NewRow = Omit<SavedQueryEntity, 'version' | 'createdAt' | 'updatedAt'>;
type RowChange = Partial<Omit<SavedQueryEntity, 'id' | 'workspaceId' | 'version' | 'createdAt' | 'updatedAt'>>;

/** Saved queries in PostgreSQL. */
@Injectable()
export class SavedQueryRepository {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly revisions: WorkspaceRevisions,
    private readonly audit: AuditRepository,
    private readonly grants: GrantRepository,
  ) {}

  find(workspaceId: string, ids: readonly string[]): Promise<SavedQueryEntity[]> {
    return this.database.manager.findBy(SavedQueryEntity, { workspaceId, id: In([...ids]) });
  }

  /** By id, and so in about the order in which they were made; those after `afterId` alone. */
  listWarmUps(workspaceId: string, afterId: string, limit: number): Promise<SavedQueryEntity[]> {
    return this.database.manager.find(SavedQueryEntity, {
      where: { workspaceId, warmUp: true, id: MoreThan(afterId) },
      order: { id: 'ASC' },
      take: limit,
    });
  }

  async list(
    { workspaceId, search, tags, reached }: SavedQueryFilter,
    page: ParsedPage<readonly ['string', 'string']>,
  ): Promise<{ rows: SavedQueryEntity[]; totalCount: number }> {
    const all = this.database
      .getRepository(SavedQueryEntity)
      .createQueryBuilder('query')
      .where('query.workspaceId = :workspaceId', { workspaceId });
    if (search !== undefined) all.andWhere('query.searchKey like :search', { search: `%${escapeLike(search)}%` });
    if (tags.length > 0) all.andWhere('query.tags @> :tags', { tags: [...tags] });
    if (reached) accessWhere(all, reached, { source: 'query.dataSourceId', query: 'query.id' });
    const rows = all.clone().orderBy('query.nameKey').addOrderBy('query.id').limit(page.limit);
    if (page.after) {
      const [nameKey, id] = page.after;
      rows.andWhere('(query.nameKey, query.id) > (:nameKey, :id)', { nameKey, id });
    }
    const [totalCount, shown] = await Promise.all([all.getCount(), rows.getMany()]);
    return { rows: shown, totalCount };
  }

  /** @throws AppError `source.not_found` where the workspace has no such data source */
  async insert(row: NewRow): Promise<SavedQueryEntity> {
    try {
      return await this.revisions.change(row.workspaceId, async (manager) => {
        await written(manager).insert(row);
        const made = await manager.findOneByOrFail(SavedQueryEntity, { id: row.id });
        await this.audit.add(manager, {
          action: 'saved_query.created',
          ...targetOf(made),
          after: auditedOf(made),
        });
        return made;
      });
    } catch (error) {
      if (!isForeignKeyViolation(error, 'saved_query_data_source_fkey')) throw error;
      throw new AppError('source.not_found', 'There is no such data source.', { path: ['dataSourceId'] });
    }
  }

  /**
   * Changes a query that is still at `version`.
   * @throws AppError `saved_query.not_found`, `entity.conflict`
   */
  async update(
    { workspaceId, id }: SavedQueryKey,
    version: number,
    change: (current: SavedQueryEntity) => RowChange,
  ): Promise<SavedQueryEntity> {
    return this.revisions.change(workspaceId, async (manager) => {
      const current = await manager.findOne(SavedQueryEntity, {
        where: { workspaceId, id },
        lock: { mode: 'pessimistic_write' },
      });
      if (!current) throw notFound();
      if (current.version !== version) throw changedMeanwhile();
      await written(manager).update({ id }, { ...change(current), version: version + 1, updatedAt: () => 'now()' });
      const changed = await manager.findOneByOrFail(SavedQueryEntity, { id });
      const [before, after] = [auditedOf(current), auditedOf(changed)];
      await this.audit.add(manager, { action: 'saved_query.updated', ...targetOf(changed), before, after });
      return changed;
    });
  }

  /** @throws AppError `saved_query.not_found` */
  async delete({ workspaceId, id }: SavedQueryKey): Promise<void> {
    await this.revisions.changeAccess(workspaceId, async (manager) => {
      const current = await manager.findOne(SavedQueryEntity, {
        where: { workspaceId, id },
        lock: { mode: 'pessimistic_write' },
      });
      if (!current) throw notFound();
      await this.grants.deleteOf(manager, id);
      await manager.delete(SavedQueryEntity, { id });
      const before = auditedOf(current);
      await this.audit.add(manager, { action: 'saved_query.deleted', ...targetOf(current), before });
    });
  }
}

/** For writing: TypeORM's type of a part of an entity would follow the members of JSON without end. */
function written(manager: EntityManager): Repository<ObjectLiteral> {
  return manager.getRepository<ObjectLiteral>(SavedQueryEntity);
}

function targetOf({ id, name, workspaceId }: SavedQueryEntity): Pick<AuditRecord, 'target' | 'workspaceId'> {
  return { workspaceId, target: { type: 'saved_query', id, name } };
}

/** Its parameters by name and type: what they are given is nobody's business here. */
function auditedOf(row: SavedQueryEntity): object {
  const { name, description, dataSourceId, sql, tags, cacheTtlSeconds, warmUp, parameters } = row;
  const declared = parameters.map(({ name: parameter, type }) => ({ name: parameter, type }));
  return { name, description, dataSourceId, sql, tags, cacheTtlSeconds, warmUp, declared };
}

function notFound(): AppError {
  return new AppError('saved_query.not_found', 'There is no such saved query.', { path: ['id'] });
}
