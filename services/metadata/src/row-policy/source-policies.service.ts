import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { metadataRequests, ResponseOf } from '#libs/contracts';
import { parseSourceOptions } from '#libs/source-types';
import type { DataSourceEntity } from '../data-source/data-source.entity.js';
import { DataSourceRepository } from '../data-source/data-source.repository.js';
import { SourceTableRepository } from '../source-schema/source-table.repository.js';
import { RowPolicyRepository } from './row-policy.repository.js';
import { toRowPolicy } from './to-row-policy.js';

type SourcePolicies = ResponseOf<typeof metadataRequests.getSourcePolicies>;
/** What of a source a policy is read against. */
export type SourceNames = Omit<SourcePolicies, 'rowPolicies'>;

/** All that is needed to put the policies of a source into a statement: for the orchestrator. */
@Injectable()
export class SourcePoliciesService {
  constructor(
    private readonly policies: RowPolicyRepository,
    private readonly sources: DataSourceRepository,
    private readonly tables: SourceTableRepository,
  ) {}

  /** @throws AppError `source.not_found` */
  async get(workspaceId: string, dataSourceId: string): Promise<SourcePolicies> {
    const source = await this.sources.get({ workspaceId, id: dataSourceId });
    const rowPolicies = await this.policies.findEnabled(workspaceId, dataSourceId);
    return { rowPolicies: rowPolicies.map(toRowPolicy), ...(await this.namesOf(source)) };
  }

  /** Changes with all that `get` tells; undefined where the source has no enabled policy. */
  async fingerprint(source: DataSourceEntity): Promise<string | undefined> {
    const policies = await this.policies.findEnabled(source.workspaceId, source.id);
    if (policies.length === 0) return undefined;
    const parts = [source.version, source.schemaRefreshedAt, policies.map(({ id, version }) => [id, version])];
    return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
  }

  async namesOf({ id, type, options }: DataSourceEntity): Promise<SourceNames> {
    const tables = (await this.tables.all(id)).map(({ catalog, schema, name, columns }) => ({
      name,
      columns: columns.map((column) => ({ name: column.name, sourceType: column.sourceType })),
      ...(catalog === null ? {} : { catalog }),
      ...(schema === null ? {} : { schema }),
    }));
    if (type !== 'postgres') return { tables, searchPath: ['main'] };
    const { schemas, database } = parseSourceOptions('postgres', options);
    return { tables, searchPath: [...schemas], catalog: database };
  }
}
