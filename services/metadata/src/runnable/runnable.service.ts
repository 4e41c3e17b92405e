import { Injectable } from '@nestjs/common';
import type { metadataRequests, RequestOf, ResponseOf, SourceConnection, WarmUp } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import type { Permission } from '#libs/identity';
import { AccessService } from '../access/access.service.js';
import type { Caller } from '../caller.js';
import { DataSourceRepository } from '../data-source/data-source.repository.js';
import { toConnection } from '../data-source/to-data-source.js';
import { Issues } from '../input/issues.js';
import { checkIds } from '../input/text.js';
import { WorkspaceRevisions } from '../revision/workspace-revisions.repository.js';
import { SourcePoliciesService } from '../row-policy/source-policies.service.js';
import { SavedQueryRepository } from '../saved-query/saved-query.repository.js';
import { toSavedQuery } from '../saved-query/to-saved-query.js';
import { WorkspaceSettingsRepository } from '../workspace-settings/workspace-settings.repository.js';

/** What is needed to run something: for the orchestrator. */
@Injectable()
export class RunnableService {
  constructor(
    private readonly sources: DataSourceRepository,
    private readonly queries: SavedQueryRepository,
    private readonly revisions: WorkspaceRevisions,
    private readonly policies: SourcePoliciesService,
    private readonly settings: WorkspaceSettingsRepository,
    private readonly access: AccessService,
  ) {}

  /**
   * The connection that a statement or a saved query runs on, for a caller who may run it. Running a saved query asks for
   * no right to read its source.
   * @throws AppError `source.not_found`, `saved_query.not_found`, `auth.forbidden`
   */
  async resolve(
    { subject }: RequestOf<typeof metadataRequests.resolveRunnable>,
    caller: Caller,
  ): Promise<ResponseOf<typeof metadataRequests.resolveRunnable>> {
    const { workspaceId } = caller;
    switch (subject.case) {
      case 'dataSourceId': {
        demand(caller, 'query.run');
        const revision = await this.revisions.now(workspaceId);
        (await this.access.of(caller)).demandSource(caller, subject.value, 'RUN');
        return { revision, ...(await this.governedSource(workspaceId, subject.value)) };
      }
      case 'savedQueryId': {
        demand(caller, 'saved_query.run');
        const revision = await this.revisions.now(workspaceId);
        const [query] = await this.queries.find(workspaceId, [subject.value]);
        if (!query) throw new AppError('saved_query.not_found', 'There is no such saved query.');
        (await this.access.of(caller)).demandQuery(caller, query, 'RUN');
        const source = await this.governedSource(workspaceId, query.dataSourceId);
        return { revision, ...source, savedQuery: toSavedQuery(query) };
      }
      case undefined:
        throw new AppError('input.invalid', 'There is nothing to run: name a data source or a saved query.');
    }
  }

  /** Of any workspace, for the orchestrator itself, which cancels for all of them; what is deleted is absent. */
  async connections(ids: readonly string[]): Promise<SourceConnection[]> {
    const issues = new Issues();
    checkIds(ids, issues);
    issues.throwIfAny();
    return ids.length === 0 ? [] : (await this.sources.findOfAnyWorkspace(ids)).map(toConnection);
  }

  /** The saved queries to be run when what they stand on is invalidated; for the orchestrator itself. */
  async warmUps({ workspaceId, afterId, limit }: RequestOf<typeof metadataRequests.listWarmUps>): Promise<WarmUp[]> {
    const queries = await this.queries.listWarmUps(workspaceId, afterId, limit);
    return queries.map(({ id, dataSourceId, tags, updatedById }) => {
      return { savedQueryId: id, dataSourceId, tags, userId: updatedById };
    });
  }

  private async governedSource(workspaceId: string, id: string) {
    const source = await this.sources.get({ workspaceId, id });
    const [policiesFingerprint, settings] = await Promise.all([
      this.policies.fingerprint(source),
      this.settings.get(workspaceId),
    ]);
    return { source: toConnection(source), policiesFingerprint, settings };
  }
}

function demand({ permissions }: Caller, permission: Permission): void {
  if (!permissions.has(permission)) {
    throw new AppError('auth.forbidden', `This needs the permission ${permission}.`);
  }
}
