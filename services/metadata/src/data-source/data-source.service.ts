import { Injectable } from '@nestjs/common';
import type { metadataRequests, DataSource, PageArgs, RequestOf, ResponseOf } from '#libs/contracts';
import { parsePage, toPage } from '#libs/database';
import { AppError, newId, type JsonObject } from '#libs/kernel';
import { findSourceType } from '#libs/source-types';
import { AccessService } from '../access/access.service.js';
import type { Caller } from '../caller.js';
import { Issues } from '../input/issues.js';
import { checkIds, checkSearch, keyOf } from '../input/text.js';
import { noSecrets, SecretService, type SecretSealer } from '../secret/secret.service.js';
import { SchemaRefreshService } from '../source-schema/schema-refresh.service.js';
import type { DataSourceEntity } from './data-source.entity.js';
import { changeOptions, parseDataSourceChange, parseNewDataSource } from './data-source.input.js';
import { toDataSource } from './to-data-source.js';
import { DataSourceRepository } from './data-source.repository.js';

/** Data sources of a workspace, as those see and manage them who may. */
@Injectable()
export class DataSourceService {
  constructor(
    private readonly sources: DataSourceRepository,
    private readonly secrets: SecretService,
    private readonly refresh: SchemaRefreshService,
    private readonly access: AccessService,
  ) {}

  /** Those that exist in the caller's workspace; none for who may not read them. */
  async get(ids: readonly string[], caller: Caller): Promise<DataSource[]> {
    const issues = new Issues();
    checkIds(ids, issues);
    issues.throwIfAny();
    if (ids.length === 0 || !caller.permissions.has('data_source.read')) return [];
    const [access, rows] = await Promise.all([this.access.of(caller), this.sources.find(caller.workspaceId, ids)]);
    const seen = rows.filter(({ id }) => access.reachesSource(caller, id, 'DISCOVER'));
    return seen.map((row) => toDataSource(row, caller));
  }

  /** Alphabetical. */
  async list(
    input: { page?: PageArgs | undefined; search?: string | undefined },
    caller: Caller,
  ): Promise<ResponseOf<typeof metadataRequests.listDataSources>> {
    const { workspaceId } = caller;
    const issues = new Issues();
    const search = checkSearch(input.search, issues);
    issues.throwIfAny();
    const page = parsePage(input.page, 'dataSources', { workspaceId, search: search ?? null });
    const reached = (await this.access.of(caller)).filterFor(caller, 'DISCOVER');
    const { rows, totalCount } = await this.sources.list({ workspaceId, search, reached }, page);
    const { rows: shown, cursors, pageInfo } = toPage(rows, page, (row) => [row.nameKey]);
    return { dataSources: shown.map((row) => toDataSource(row, caller)), cursors, pageInfo, totalCount };
  }

  async create(input: RequestOf<typeof metadataRequests.createDataSource>, caller: Caller): Promise<DataSource> {
    const { workspaceId, requestId } = caller;
    // It would reach more than it was confined to.
    if (caller.reach) throw new AppError('auth.forbidden', 'These credentials are for some data sources only.');
    const { name, type, options, secrets, maxConcurrentExecutions, cacheTtlSeconds, timeoutSeconds } =
      parseNewDataSource(input);
    const id = newId('dataSource');
    const hasSecrets = Object.keys(secrets).length > 0;
    const sealed = hasSecrets ? (await this.secrets.sealer(workspaceId)).seal(id, secrets) : noSecrets;
    const row = await this.sources.insert(
      {
        id,
        workspaceId,
        name,
        nameKey: keyOf(name),
        type,
        options,
        maxConcurrentExecutions,
        cacheTtlSeconds,
        timeoutSeconds,
        ...sealed,
      },
      requestId,
    );
    this.refresh.refreshBehind(row, requestId);
    return toDataSource(row, caller);
  }

  async update(input: RequestOf<typeof metadataRequests.updateDataSource>, caller: Caller): Promise<DataSource> {
    const { workspaceId, requestId } = caller;
    const change = parseDataSourceChange(input);
    (await this.access.of(caller)).demandSource(caller, input.id, 'EDIT');
    // Asked for before the row is locked: nothing waits for another service while it holds a lock.
    const sealer = change.touchesSecrets ? await this.secrets.sealer(workspaceId) : undefined;
    const row = await this.sources.update({ workspaceId, id: input.id }, input.version, requestId, (current) => ({
      ...(change.name === undefined ? {} : { name: change.name, nameKey: keyOf(change.name) }),
      ...(change.maxConcurrentExecutions === undefined
        ? {}
        : { maxConcurrentExecutions: change.maxConcurrentExecutions }),
      ...(change.paused === undefined ? {} : { paused: change.paused }),
      ...(change.cacheTtlSeconds === undefined ? {} : { cacheTtlSeconds: change.cacheTtlSeconds }),
      ...(change.timeoutSeconds === undefined ? {} : { timeoutSeconds: change.timeoutSeconds }),
      ...(change.options === undefined ? {} : changedOptions(current, change.options, sealer)),
    }));
    if (change.options !== undefined) this.refresh.refreshBehind(row, requestId);
    return toDataSource(row, caller);
  }

  /** The secrets and the row policies are gone with it. Refused while saved queries ask it. */
  async delete(id: string, caller: Caller): Promise<void> {
    (await this.access.of(caller)).demandSource(caller, id, 'MANAGE');
    await this.sources.delete({ workspaceId: caller.workspaceId, id }, caller.requestId);
  }
}

function changedOptions(current: DataSourceEntity, change: JsonObject, sealer: SecretSealer | undefined) {
  const type = findSourceType(current.type);
  if (!type) throw new Error(`a data source has the type ${current.type}, which this release does not know`);
  const { options, secrets, keptSecrets } = changeOptions(type, current, change);
  const isSame = Object.keys(secrets).length === 0 && keptSecrets.length === current.secretNames.length;
  if (isSame) return { options };
  if (!sealer) throw new Error('secrets are to change and there is no key');
  const kept = keptSecrets.length === 0 ? {} : sealer.open(current, keptSecrets);
  return { options, ...sealer.seal(current.id, { ...kept, ...secrets }) };
}
