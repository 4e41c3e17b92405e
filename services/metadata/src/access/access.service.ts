import { Injectable } from '@nestjs/common';
import type { WorkspaceAccess } from '#libs/identity';
import type { Caller } from '../caller.js';
import type { Transaction } from '../revision/workspace-revisions.repository.js';
import { RestrictionRepository } from './restriction.repository.js';

/** Who reaches which assets: the one place that metadata asks. */
@Injectable()
export class AccessService {
  constructor(private readonly restrictions: RestrictionRepository) {}

  /** As it is now, for the caller's workspace; in a transaction before that changes any of it. */
  of({ workspaceId }: Pick<Caller, 'workspaceId'>, manager?: Transaction): Promise<WorkspaceAccess> {
    return this.restrictions.access(workspaceId, manager);
  }
}
