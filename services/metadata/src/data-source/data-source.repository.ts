import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, In, type EntityManager } from 'typeorm';
import { dataSourceChanged } from '#libs/contracts';
import {
  accessWhere,
  AuditRepository,
  escapeLike,
  isForeignKeyViolation,
  isUniqueViolation,
  OutboxRepository,
  type ParsedPage,
  type ReachedAssets,
} from '#libs/database';
import { AppError, changedMeanwhile } from '#libs/kernel';
import { GrantRepository } from '../access/grant.repository.js';
import { WorkspaceRevisions } from '../revision/workspace-revisions.repository.js';
import { auditedOf, targetOf } from './audited-data-source.js';
import { DataSourceEntity } from './data-source.entity.js';

export interface DataSourceFilter {
  readonly workspaceId: string;
  readonly search: string | undefined;
  /** Undefined: all. */
  readonly reached: ReachedAssets | undefined;
}

/** One source as a caller names it: within its workspace. */
export interface DataSourceKey {
  readonly workspaceId: string;
  readonly id: string;
}

type NewRow = Omit<DataSourceEntity, 'version' | 'paused' | 'schemaRefreshedAt' | 'createdAt' | 'updatedAt'>;
type RowChange = Partial<Omit<DataSourceEntity, 'id' | 'workspaceId' | 'version' | 'createdAt' | 'updatedAt'>>;

/** Data sources in PostgreSQL. Each change leaves its event in the same transaction. */
@Injectable()
export class DataSourceRepository {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly outbox: OutboxRepository,
    private readonly audit: AuditRepository,
    private readonly revisions: WorkspaceRevisions,
    private readonly grants: GrantRepository,
  ) {}

  find(workspaceId: string, ids: readonly string[]): Promise<DataSourceEntity[]> {
    return this.database.manager.findBy(DataSourceEntity, { workspaceId, id: In([...ids]) });
  }

  /** Of any workspace; for services only. */
  findOfAnyWorkspace(ids: readonly string[]): Promise<DataSourceEntity[]> {
    return this.database.manager.findBy(DataSourceEntity, { id: In([...ids]) });
  }

  /** @throws AppError `source.not_found` */
  async get({ workspaceId, id }: DataSourceKey): Promise<DataSourceEntity> {
    const found = await this.database.manager.findOneBy(DataSourceEntity, { workspaceId, id });
    if (!found) throw notFound();
    return found;
  }

  async list(
    { workspaceId, search, reached }: DataSourceFilter,
    page: ParsedPage<readonly ['string']>,
  ): Promise<{ rows: DataSourceEntity[]; totalCount: number }> {
    const all = this.database
      .getRepository(DataSourceEntity)
      .createQueryBuilder('source')
      .where('source.workspaceId = :workspaceId', { workspaceId });
    if (search !== undefined) all.andWhere('source.nameKey like :search', { search: `%${escapeLike(search)}%` });
    if (reached) accessWhere(all, reached, { source: 'source.id' });
    const rows = all.clone().orderBy('source.nameKey').limit(page.limit);
    if (page.after) rows.andWhere('source.nameKey > :after', { after: page.after[0] });
    const [totalCount, shown] = await Promise.all([all.getCount(), rows.getMany()]);
    return { rows: shown, totalCount };
  }

  /** @throws AppError `entity.name_taken` */
  async insert(row: NewRow, requestId: string): Promise<DataSourceEntity> {
    return this.refuseTakenName(
      row,
      this.revisions.change(row.workspaceId, async (manager) => {
        await manager.insert(DataSourceEntity, untyped(row));
        const made = await this.tell(manager, row, requestId);
        await this.audit.add(manager, {
          action: 'data_source.created',
          ...targetOf(made),
          after: auditedOf(made),
        });
        return made;
      }),
    );
  }

  /**
   * Changes a source that is still at `version`. `change` sees the row as it is, which nobody else can change meanwhile.
   * @throws AppError `source.not_found`, `entity.conflict`, `entity.name_taken`, or what `change` throws
   */
  async update(
    key: DataSourceKey,
    version: number,
    requestId: string,
    change: (current: DataSourceEntity) => RowChange,
  ): Promise<DataSourceEntity> {
    return this.refuseTakenName(
      key,
      this.revisions.change(key.workspaceId, async (manager) => {
        const current = await lock(manager, key);
        if (current.version !== version) throw changedMeanwhile();
        await manager.update(
          DataSourceEntity,
          { id: key.id },
          { ...untyped(change(current)), version: version + 1, updatedAt: () => 'now()' },
        );
        const changed = await this.tell(manager, key, requestId);
        const [before, after] = [auditedOf(current), auditedOf(changed)];
        await this.audit.add(manager, { action: 'data_source.updated', ...targetOf(changed), before, after });
        return changed;
      }),
    );
  }

  /** @throws AppError `source.not_found`, `source.in_use` */
  async delete(key: DataSourceKey, requestId: string): Promise<void> {
    const gone = this.revisions.changeAccess(key.workspaceId, async (manager) => {
      const current = await lock(manager, key);
      await manager.delete(DataSourceEntity, { id: key.id });
      await this.grants.deleteOf(manager, key.id);
      await this.outbox.add(
        manager,
        dataSourceChanged,
        { ...eventOf(current), version: current.version + 1, deleted: true },
        { workspaceId: key.workspaceId, requestId },
      );
      const before = auditedOf(current);
      await this.audit.add(manager, { action: 'data_source.deleted', ...targetOf(current), before });
    });
    await gone.catch((error: unknown) => {
      if (isForeignKeyViolation(error, 'saved_query_data_source_fkey')) throw inUse();
      throw error;
    });
  }

  private async refuseTakenName<T>(of: DataSourceKey & { nameKey?: string }, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!isUniqueViolation(error, 'data_source_name_key')) throw error;
      const { workspaceId, nameKey } = of;
      const taken =
        nameKey === undefined
          ? null
          : await this.database.manager.findOneBy(DataSourceEntity, { workspaceId, nameKey });
      throw new AppError('entity.name_taken', 'A data source of this name is there already.', {
        path: ['name'],
        ...(taken ? { details: { conflictId: taken.id } } : {}),
      });
    }
  }

  private async tell(manager: EntityManager, key: DataSourceKey, requestId: string): Promise<DataSourceEntity> {
    const row = await manager.findOneByOrFail(DataSourceEntity, { id: key.id });
    const context = { workspaceId: key.workspaceId, requestId };
    await this.outbox.add(manager, dataSourceChanged, { ...eventOf(row), deleted: false }, context);
    return row;
  }
}

/** TypeORM's own type for a row takes a JSON column apart without end. */
function untyped(row: NewRow | RowChange): object {
  return row;
}

async function lock(manager: EntityManager, { workspaceId, id }: DataSourceKey): Promise<DataSourceEntity> {
  const found = await manager.findOne(DataSourceEntity, {
    where: { workspaceId, id },
    lock: { mode: 'pessimistic_write' },
  });
  if (!found) throw notFound();
  return found;
}

function eventOf(row: DataSourceEntity) {
  const { workspaceId, type, version, maxConcurrentExecutions, paused } = row;
  return { workspaceId, dataSourceId: row.id, type, version, maxConcurrentExecutions, paused };
}

function notFound(): AppError {
  return new AppError('source.not_found', 'There is no such data source.', { path: ['id'] });
}

function inUse(): AppError {
  return new AppError('source.in_use', 'Saved queries still ask this data source. Delete them first.', {
    path: ['id'],
  });
}
