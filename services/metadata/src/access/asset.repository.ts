import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import type { Permission } from '#libs/identity';
import { idKindOf } from '#libs/kernel';

/** Something that grants are given on. */
export interface Asset {
  readonly id: string;
  /** Itself, where it is one. */
  readonly dataSourceId: string;
  readonly kind: AssetKind;
}

export type AssetKind = 'dataSource' | 'savedQuery';

/** What role it takes to say who reaches an asset of the kind. Another kind of asset is a row here and in the statement below. */
export const managingPermission: Readonly<Record<AssetKind, Permission>> = {
  dataSource: 'data_source.manage',
  savedQuery: 'saved_query.manage',
};

@Injectable()
export class AssetRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** Those of them that exist in the workspace. */
  async find(workspaceId: string, ids: readonly string[]): Promise<Asset[]> {
    const rows: { id: string; dataSourceId: string }[] = await this.database.query(
      `select id, id as "dataSourceId" from metadata.data_source where workspace_id = $1 and id = any ($2::text[])
       union all
       select id, data_source_id from metadata.saved_query where workspace_id = $1 and id = any ($2::text[])`,
      [workspaceId, ids],
    );
    return rows.map((row) => ({ ...row, kind: idKindOf(row.id) === 'dataSource' ? 'dataSource' : 'savedQuery' }));
  }

  /** Until the transaction ends, neither the asset nor its source is changed, deleted or locked for a change by others. */
  async lock(manager: EntityManager, { id, dataSourceId, kind }: Asset, forWhat: 'grant' | 'change'): Promise<boolean> {
    const mode = forWhat === 'change' ? 'no key update' : 'share';
    const [source] = await manager.query<object[]>(
      `select 1 from metadata.data_source where id = $1 for ${kind === 'dataSource' ? mode : 'share'}`,
      [dataSourceId],
    );
    if (kind === 'dataSource') return source !== undefined;
    const [query] = await manager.query<object[]>(`select 1 from metadata.saved_query where id = $1 for ${mode}`, [id]);
    return query !== undefined;
  }
}
