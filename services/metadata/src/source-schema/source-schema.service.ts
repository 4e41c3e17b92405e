import { Injectable } from '@nestjs/common';
import type { DataSource, metadataRequests, RequestOf, ResponseOf, Table } from '#libs/contracts';
import { parsePage, toPage } from '#libs/database';
import { AccessService } from '../access/access.service.js';
import type { Caller } from '../caller.js';
import { DataSourceRepository } from '../data-source/data-source.repository.js';
import { toConnection, toDataSource } from '../data-source/to-data-source.js';
import { Issues } from '../input/issues.js';
import { checkSearch } from '../input/text.js';
import { SchemaRefreshService } from './schema-refresh.service.js';
import type { SourceTableEntity } from './source-table.entity.js';
import { SourceTableRepository } from './source-table.repository.js';
import { WorkerClient } from './worker.client.js';

/** What a source holds, and if it can be reached. */
@Injectable()
export class SourceSchemaService {
  constructor(
    private readonly sources: DataSourceRepository,
    private readonly tables: SourceTableRepository,
    private readonly refreshes: SchemaRefreshService,
    private readonly worker: WorkerClient,
    private readonly access: AccessService,
  ) {}

  /** By catalog, schema and name. Of a source that was never read, after reading it. */
  async list(
    input: RequestOf<typeof metadataRequests.listTables>,
    caller: Caller,
  ): Promise<ResponseOf<typeof metadataRequests.listTables>> {
    const { dataSourceId } = input;
    const issues = new Issues();
    const search = checkSearch(input.search, issues);
    issues.throwIfAny();
    const page = parsePage(input.page, 'tables', { dataSourceId, search: search ?? null });
    (await this.access.of(caller)).demandSource(caller, dataSourceId, 'DISCOVER');
    const source = await this.sources.get({ workspaceId: caller.workspaceId, id: dataSourceId });
    if (!source.schemaRefreshedAt) {
      await this.refreshes.readFirst(source, caller.requestId, caller.remainingMs());
    }
    const { rows, totalCount } = await this.tables.list({ dataSourceId, search }, page);
    const { rows: shown, cursors, pageInfo } = toPage(rows, page, (row) => [row.sortKey]);
    return { tables: shown.map(toTable), cursors, pageInfo, totalCount };
  }

  async refresh(id: string, caller: Caller): Promise<DataSource> {
    const key = { workspaceId: caller.workspaceId, id };
    (await this.access.of(caller)).demandSource(caller, id, 'EDIT');
    await this.refreshes.refresh(key, caller.requestId, caller.remainingMs());
    return toDataSource(await this.sources.get(key), caller);
  }

  /** A paused source can be tested: that is how one finds out whether it can go on. */
  async test(id: string, caller: Caller): Promise<ResponseOf<typeof metadataRequests.testDataSource>> {
    (await this.access.of(caller)).demandSource(caller, id, 'EDIT');
    const source = await this.sources.get({ workspaceId: caller.workspaceId, id });
    return this.worker.testSource(toConnection(source), {
      requestId: caller.requestId,
      remainingMs: caller.remainingMs(),
    });
  }
}

function toTable({ catalog, schema, name, columns }: SourceTableEntity): Table {
  return { ...(catalog === null ? {} : { catalog }), ...(schema === null ? {} : { schema }), name, columns };
}
