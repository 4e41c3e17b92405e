import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { dataKeyRequests, KeyProgress, RequestOf } from '#libs/contracts';
import { newDataKey, unwrapDataKey, wrapDataKey } from '#libs/encryption';
import { AppError } from '#libs/kernel';
import type { AuthConfig } from '../auth.config.js';
import { WorkspaceRepository } from '../workspace/workspace.repository.js';

const workspacesMax = 100;

type Listed = Awaited<ReturnType<WorkspaceRepository['listDataKeys']>>[number];

/** Wraps the data keys of all workspaces by the present master key, or gives them new ones. */
@Injectable()
export class DataKeyService {
  constructor(
    private readonly workspaces: WorkspaceRepository,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'masterKeys'>,
  ) {}

  async renew({ after, madeBeforeMs }: RequestOf<typeof dataKeyRequests.renewDataKeys>): Promise<KeyProgress> {
    const listed = await this.workspaces.listDataKeys(after, workspacesMax, new Date(madeBeforeMs));
    const outcomes = { resealed: 0, unreadable: 0, current: 0 };
    for (const workspace of listed) outcomes[await this.renewOne(workspace)] += 1;
    const { resealed, unreadable } = outcomes;
    const last = listed.length < workspacesMax ? undefined : listed.at(-1);
    const total = await this.workspaces.count();
    return { seen: listed.length, resealed, unreadable, total, ...(last ? { next: last.id } : {}) };
  }

  private async renewOne({ id, isOld, ...known }: Listed): Promise<'resealed' | 'unreadable' | 'current'> {
    const { masterKeys } = this.config;
    try {
      // Opened in either case: one that was changed or moved is not passed over by a new one.
      const { key } = unwrapDataKey(known, masterKeys, id);
      if (isOld) await this.workspaces.replaceDataKey(id, known, newDataKey(masterKeys, id));
      else if (known.masterKeyId === masterKeys.currentId) return 'current';
      else await this.workspaces.replaceWrapping(id, known, wrapDataKey(key, masterKeys, id));
      return 'resealed';
    } catch (error) {
      if (error instanceof AppError && error.code === 'secret.unreadable') return 'unreadable';
      throw error;
    }
  }
}
