import { Injectable } from '@nestjs/common';
import type { Execution } from '#libs/contracts';
import { AccessView, type Principal, type WorkspaceAccess } from '#libs/identity';
import { RevisionCopies } from '#libs/redis';

/** Who reaches which assets: the one place that the orchestrator asks. */
@Injectable()
export class AssetAccess {
  constructor(
    private readonly view: AccessView,
    private readonly revisions: RevisionCopies,
  ) {}

  /** As it is now. */
  async of({ workspaceId }: Pick<Principal, 'workspaceId'>): Promise<WorkspaceAccess> {
    return this.view.current(workspaceId, await this.revisions.read(workspaceId, 'metadata'));
  }

  /** As it was at most two seconds ago, for what is under way. */
  watched(workspaceId: string): Promise<WorkspaceAccess> {
    return this.view.watched(workspaceId);
  }
}

type Asked = Pick<Execution, 'dataSourceId' | 'savedQueryId'>;

/** Whoever only runs a saved query may not learn what stands in it, neither from its statement nor from what it fails with. */
export function readsText(
  access: WorkspaceAccess,
  principal: Principal,
  { dataSourceId, savedQueryId }: Asked,
): boolean {
  if (savedQueryId === undefined) return true;
  const { permissions } = principal;
  const isAllowed = permissions.has('query.run') || permissions.has('data_source.read');
  return isAllowed && access.readsText(principal, { id: savedQueryId, dataSourceId });
}
