import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { metadataRequests, ResponseOf } from '#libs/contracts';
import { parseSourceOptions } from '#libs/source-types';
import type { DataSourceEntity } from '../data-source/data-source.entity.js';
import { DataSourceRepository } from '../data-source/data-source.repository.js';
import { SourceTableRepository } from '../source-schema/source-table.repository.js';
import type { RowPolicyEntity } from './row-policy.entity.js';
import { RowPolicyRepository } from './row-policy.repository.js';
import { toRowPolicy } from './to-row-policy.js';

type SourcePolicies = ResponseOf<typeof metadataRequests.getSourcePolicies>;
/** What of a source a policy is read against. */
export type SourceNames = Omit<SourcePolicies, 'rowPolicies' | 'fingerprint'>;

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
    const fingerprint = fingerprintOf(source, rowPolicies);
    return {
      rowPolicies: rowPolicies.map(toRowPolicy),
      ...(await this.namesOf(source)),
      ...(fingerprint === undefined ? {} : { fingerprint }),
    };
  }

  /** Changes with all that `get` tells; undefined where the source has no enabled policy. */
  async fingerprint(source: DataSourceEntity): Promise<string | undefined> {
    return fingerprintOf(source, await this.policies.findEnabled(source.workspaceId, source.id));
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

function fingerprintOf(source: DataSourceEntity, policies: readonly RowPolicyEntity[]): string | undefined {
  if (policies.length === 0) return undefined;
  const parts = [source.version, source.schemaRefreshedAt, policies.map(({ id, version }) => [id, version])];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}
