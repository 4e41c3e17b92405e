import { Injectable } from '@nestjs/common';
import type { metadataRequests, RequestOf, ResponseOf, RowPolicy } from '#libs/contracts';
import { parsePage, toPage } from '#libs/database';
import { AppError, newId } from '#libs/kernel';
import { faultOfPolicy, sqlDialectOf, trialsOfPolicy } from '#libs/sql';
import { AccessService } from '../access/access.service.js';
import type { Caller } from '../caller.js';
import type { DataSourceEntity } from '../data-source/data-source.entity.js';
import { DataSourceRepository } from '../data-source/data-source.repository.js';
import { Issues } from '../input/issues.js';
import { checkIds, checkSearchText, keyOf } from '../input/text.js';
import { SchemaRefreshService } from '../source-schema/schema-refresh.service.js';
import { GroupClient } from './group.client.js';
import { PolicyTrialService } from './policy-trial.service.js';
import { parseNewRowPolicy, parseRowPolicyChange, type NewRowPolicy } from './row-policy.input.js';
import { assertVersion, rowPolicyNotFound, RowPolicyRepository, sourceNotFound } from './row-policy.repository.js';
import type { RowPolicyEntity } from './row-policy.entity.js';
import { SourcePoliciesService } from './source-policies.service.js';
import { toRowPolicy } from './to-row-policy.js';

interface SavedRowPolicy {
  readonly rowPolicy: RowPolicy;
  /** Why it was not tried at its source, for its author. */
  readonly untriedReason: string | undefined;
}

/** Row policies of a workspace, as those see and manage them who may. */
@Injectable()
export class RowPolicyService {
  constructor(
    private readonly policies: RowPolicyRepository,
    private readonly sources: DataSourceRepository,
    private readonly sourcePolicies: SourcePoliciesService,
    private readonly trials: PolicyTrialService,
    private readonly refreshes: SchemaRefreshService,
    private readonly groups: GroupClient,
    private readonly access: AccessService,
  ) {}

  /** Those whose source the caller reaches. */
  async get(ids: readonly string[], caller: Caller): Promise<RowPolicy[]> {
    const issues = new Issues();
    checkIds(ids, issues);
    issues.throwIfAny();
    if (ids.length === 0) return [];
    const [access, rows] = await Promise.all([this.access.of(caller), this.policies.find(caller.workspaceId, ids)]);
    return rows.filter(({ dataSourceId }) => access.reachesSource(caller, dataSourceId, 'DISCOVER')).map(toRowPolicy);
  }

  /** Alphabetical. */
  async list(
    input: RequestOf<typeof metadataRequests.listRowPolicies>,
    caller: Caller,
  ): Promise<ResponseOf<typeof metadataRequests.listRowPolicies>> {
    const { workspaceId } = caller;
    const { dataSourceId } = input;
    const issues = new Issues();
    const search = checkSearchText(input.search, issues);
    issues.throwIfAny();
    const filters = { workspaceId, dataSourceId: dataSourceId ?? null, search: search ?? null };
    const page = parsePage(input.page, 'rowPolicies', filters, ['string', 'string']);
    const reached = (await this.access.of(caller)).filterFor(caller, 'DISCOVER');
    const { rows, totalCount } = await this.policies.list({ workspaceId, dataSourceId, search, reached }, page);
    const { rows: shown, cursors, pageInfo } = toPage(rows, page, (row) => [row.nameKey, row.id]);
    return { rowPolicies: shown.map(toRowPolicy), cursors, pageInfo, totalCount };
  }

  /** @throws AppError with the reason, for the author, where it cannot be enforced on its source */
  async create(input: RequestOf<typeof metadataRequests.createRowPolicy>, caller: Caller): Promise<SavedRowPolicy> {
    const { workspaceId, userId } = caller;
    const policy = parseNewRowPolicy(input);
    const untriedReason = await this.assertEnforceable(policy, caller);
    await this.groups.ensure(workspaceId, [...policy.groupNames, ...policy.exemptGroupNames]);
    const row = await this.policies.insert({
      id: newId('rowPolicy'),
      workspaceId,
      ...policy,
      nameKey: keyOf(policy.name),
      createdById: userId,
      updatedById: userId,
    });
    return { rowPolicy: toRowPolicy(row), untriedReason };
  }

  /** @throws AppError with the reason, for the author, where it cannot be enforced on its source */
  async update(input: RequestOf<typeof metadataRequests.updateRowPolicy>, caller: Caller): Promise<SavedRowPolicy> {
    const { workspaceId, userId } = caller;
    const change = parseRowPolicyChange(input);
    const key = { workspaceId, id: input.id };
    const current = await this.changeable(key.id, caller);
    assertVersion(current, input.version);
    const next = {
      name: change.name ?? current.name,
      groupNames: change.groupNames ?? current.groupNames,
      exemptGroupNames: change.exemptGroupNames ?? current.exemptGroupNames,
      key: change.key === undefined ? current.key : change.key,
      predicate: change.predicate ?? current.predicate,
      masks: change.masks ?? current.masks,
      enabled: change.enabled ?? current.enabled,
    };
    // One that no longer fits its table can still be renamed or turned off.
    const isRead = next.enabled || change.predicate !== undefined || change.masks !== undefined;
    const untriedReason = isRead ? await this.assertEnforceable({ ...current, ...next }, caller) : undefined;
    await this.groups.ensure(workspaceId, [...(change.groupNames ?? []), ...(change.exemptGroupNames ?? [])]);
    // The version that was read above: who changed it meanwhile is not overwritten.
    const row = await this.policies.update(key, input.version, {
      ...next,
      nameKey: keyOf(next.name),
      updatedById: userId,
    });
    return { rowPolicy: toRowPolicy(row), untriedReason };
  }

  async delete(id: string, caller: Caller): Promise<void> {
    const { workspaceId } = caller;
    await this.changeable(id, caller);
    await this.policies.delete({ workspaceId, id });
  }

  /**
   * Who sees a source sees its policies; who is shown which rows of it is for those to say who change it.
   * @throws AppError `row_policy.not_found`, also where its source is not for the caller; `auth.forbidden`
   */
  private async changeable(id: string, caller: Caller): Promise<RowPolicyEntity> {
    const [access, row] = await Promise.all([
      this.access.of(caller),
      this.policies.get({ workspaceId: caller.workspaceId, id }),
    ]);
    if (!access.reachesSource(caller, row.dataSourceId, 'DISCOVER')) throw rowPolicyNotFound();
    access.demandSource(caller, row.dataSourceId, 'EDIT');
    return row;
  }

  /** The answer is why the source could not be asked, where that is so: saving waits for no source that is asleep. */
  private async assertEnforceable(policy: NewRowPolicy, caller: Caller): Promise<string | undefined> {
    const source = await this.sourceOf(policy.dataSourceId, caller);
    const dialect = sqlDialectOf(source.type);
    if (!dialect)
      throw new AppError('input.invalid', 'This kind of data source has no row policies.', { path: ['dataSourceId'] });
    const [tried, options] = [
      { ...policy, id: '' },
      { dialect, ...(await this.sourcePolicies.namesOf(source)) },
    ];
    const fault = await faultOfPolicy(tried, options);
    if (fault) throw new AppError('sql.rejected', fault.message, { path: fault.path });
    return this.trials.attempt(await trialsOfPolicy(tried, options), source, caller);
  }

  /** With its tables known: what a predicate names is looked for among them. */
  private async sourceOf(id: string, caller: Caller): Promise<DataSourceEntity> {
    const [source] = await this.sources.find(caller.workspaceId, [id]);
    const access = await this.access.of(caller);
    if (!source) throw sourceNotFound();
    access.demandSource(caller, id, 'EDIT', ['dataSourceId']);
    if (source.schemaRefreshedAt) return source;
    await this.refreshes.readFirst(source, caller.requestId, caller.remainingMs());
    return this.sources.get(source);
  }
}
