import { Injectable } from '@nestjs/common';
import type { metadataRequests, RequestOf } from '#libs/contracts';
import { parseSourceOptions } from '#libs/source-types';
import { DataSourceRepository } from '../data-source/data-source.repository.js';
import { SourceTableRepository } from './source-table.repository.js';

/** Of what a source can take a sample: for the orchestrator. */
@Injectable()
export class SamplableTablesService {
  constructor(
    private readonly sources: DataSourceRepository,
    private readonly tables: SourceTableRepository,
  ) {}

  /**
   * As the schema was last read; undefined where it says nothing of that table.
   * @throws AppError `source.not_found`
   */
  async isSamplable(
    workspaceId: string,
    { dataSourceId, schema, name }: RequestOf<typeof metadataRequests.isSamplable>,
  ): Promise<boolean | undefined> {
    const { type, options } = await this.sources.get({ workspaceId, id: dataSourceId });
    if (type !== 'postgres') return undefined;
    const found = await this.tables.named(dataSourceId, name);
    // As the source does, which takes the first schema of its search path that has the name.
    const schemas = schema === undefined ? parseSourceOptions('postgres', options).schemas : [schema];
    const inOrder = schemas.flatMap((each) => found.filter((table) => table.schema === each));
    return inOrder[0]?.samplable ?? undefined;
  }
}
