import { Injectable } from '@nestjs/common';
import type { WorkspaceAccess } from '#libs/identity';
import type { Caller } from '../caller.js';
import { RestrictionRepository } from './restriction.repository.js';

/** Who reaches which assets: the one place that metadata asks. */
@Injectable()
export class AccessService {
  constructor(private readonly restrictions: RestrictionRepository) {}

  /** As it is now, for the caller's workspace. */
  of({ workspaceId }: Pick<Caller, 'workspaceId'>): Promise<WorkspaceAccess> {
    return this.restrictions.access(workspaceId);
  }
}
