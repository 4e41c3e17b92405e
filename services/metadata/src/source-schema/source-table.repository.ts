import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Table } from '#libs/contracts';
import { escapeLike, type ParsedPage } from '#libs/database';
import { DataSourceEntity } from '../data-source/data-source.entity.js';
import { keyOf } from '../input/text.js';
import { WorkspaceRevisions } from '../revision/workspace-revisions.repository.js';
import { SourceTableEntity } from './source-table.entity.js';

const insertRows = 500;
/** What a B-tree takes is about 2,700 bytes; the source's id is in it too. */
const sortKeyBytesMax = 2_400;
/** Below every character that a name may have, so that a schema's tables stay together. */
const separator = '\u0001';

/** The tables of data sources, as last read. */
@Injectable()
export class SourceTableRepository {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly revisions: WorkspaceRevisions,
  ) {}

  async list(
    { dataSourceId, search }: { dataSourceId: string; search: string | undefined },
    page: ParsedPage<readonly ['string']>,
  ): Promise<{ rows: SourceTableEntity[]; totalCount: number }> {
    const all = this.database
      .getRepository(SourceTableEntity)
      .createQueryBuilder('t')
      .where('t.dataSourceId = :dataSourceId', { dataSourceId });
    if (search !== undefined) all.andWhere('t.searchKey like :search', { search: `%${escapeLike(search)}%` });
    const rows = all.clone().orderBy('t.sortKey').limit(page.limit);
    if (page.after) rows.andWhere('t.sortKey > :after', { after: page.after[0] });
    const [totalCount, shown] = await Promise.all([all.getCount(), rows.getMany()]);
    return { rows: shown, totalCount };
  }

  all(dataSourceId: string): Promise<SourceTableEntity[]> {
    return this.database.manager.find(SourceTableEntity, { where: { dataSourceId }, order: { sortKey: 'asc' } });
  }

  /** Those of this name, in whatever schema. */
  named(dataSourceId: string, name: string): Promise<Pick<SourceTableEntity, 'schema' | 'samplable'>[]> {
    return this.database.manager.find(SourceTableEntity, {
      select: { schema: true, samplable: true },
      where: { dataSourceId, name },
    });
  }

  /**
   * Puts what was read in the place of what was known, all at once.
   * @returns false where the source has changed since `version`, so that this may be another source's schema
   */
  async replace(
    source: Pick<DataSourceEntity, 'id' | 'workspaceId' | 'version'>,
    tables: readonly Table[],
  ): Promise<boolean> {
    const rows = rowsOf(source.id, tables);
    // Row policies are read against the tables, so what is kept of them is out of date now.
    return this.revisions.change(source.workspaceId, async (manager) => {
      const { id, version } = source;
      const current = await manager.findOne(DataSourceEntity, {
        where: { id, version },
        lock: { mode: 'pessimistic_write' },
      });
      if (!current) return false;
      await manager.delete(SourceTableEntity, { dataSourceId: id });
      for (let from = 0; from < rows.length; from += insertRows) {
        await manager.insert(SourceTableEntity, rows.slice(from, from + insertRows));
      }
      await manager.update(DataSourceEntity, { id }, { schemaRefreshedAt: () => 'now()' });
      return true;
    });
  }
}

// A name too long for the index is none that anybody could type; of two equal tables one is enough.
function rowsOf(dataSourceId: string, tables: readonly Table[]): SourceTableEntity[] {
  const rows = new Map<string, SourceTableEntity>();
  for (const { catalog = null, schema = null, name, columns, samplable = null } of tables) {
    const sortKey = [catalog ?? '', schema ?? '', name].join(separator);
    if (Buffer.byteLength(sortKey) > sortKeyBytesMax) continue;
    const searchKey = keyOf(schema === null ? name : `${schema}.${name}`);
    rows.set(sortKey, { dataSourceId, sortKey, catalog, schema, name, searchKey, columns, samplable });
  }
  return [...rows.values()];
}
