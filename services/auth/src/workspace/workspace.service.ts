import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { Workspace } from '#libs/contracts';
import { unwrapDataKey, wrapDataKey, type DataKey, type WrappedDataKey } from '#libs/encryption';
import { AuditRepository } from '#libs/database';
import type { Principal } from '#libs/identity';
import { AppError, isId } from '#libs/kernel';
import type { AuthConfig } from '../auth.config.js';
import { checkIds } from '../input/text.js';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import { WorkspaceRepository } from './workspace.repository.js';

@Injectable()
export class WorkspaceService {
  constructor(
    private readonly workspaces: WorkspaceRepository,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'masterKeys'>,
  ) {}

  /** A token is for one workspace, so the caller sees that one. */
  async get(ids: readonly string[], caller: Principal): Promise<Workspace[]> {
    if (!checkIds('workspace', ids).includes(caller.workspaceId)) return [];
    return [await this.getOwn(caller)];
  }

  async getOwn({ workspaceId }: Principal): Promise<Workspace> {
    const workspace = await this.workspaces.find(workspaceId);
    if (!workspace) throw notFound();
    return workspace;
  }

  /** The data key as it is kept; it is wrapped anew when the master key has changed since. */
  async getDataKey(workspaceId: string): Promise<WrappedDataKey> {
    const known = isId('workspace', workspaceId) ? await this.workspaces.findDataKey(workspaceId) : undefined;
    if (!known) throw notFound();
    const { masterKeys } = this.config;
    if (known.masterKeyId === masterKeys.currentId) return known;
    const { key } = unwrapDataKey(known, masterKeys, workspaceId);
    const { masterKeyId, wrappedKey } = wrapDataKey(key, masterKeys, workspaceId);
    await this.workspaces.replaceWrapping(workspaceId, known, { masterKeyId, wrappedKey });
    return { masterKeyId, wrappedKey };
  }

  /** The data key open, for what auth itself seals. */
  async openDataKey(workspaceId: string): Promise<DataKey> {
    return unwrapDataKey(await this.getDataKey(workspaceId), this.config.masterKeys, workspaceId);
  }

  /** Who makes an installation operates it, and that is the first workspace; those behind it are guests there. */
  isFirst(id: string): Promise<boolean> {
    return this.workspaces.isFirst(id);
  }

  isSecondFactorRequired({ workspaceId }: Principal): Promise<boolean> {
    return this.workspaces.isSecondFactorRequired(workspaceId);
  }

  /** Counts from the next sign-in on: nobody is put out by it. */
  async requireSecondFactor({ workspaceId }: Principal, isRequired: boolean): Promise<void> {
    await this.transactions.run(async (transaction) => {
      const wasRequired = await this.workspaces.requireSecondFactor(transaction, workspaceId, isRequired);
      await this.audit.add(transaction, {
        ...{ action: 'workspace.sign_in_rules_updated', target: { type: 'workspace', id: workspaceId }, workspaceId },
        ...{ before: { secondFactorRequired: wasRequired }, after: { secondFactorRequired: isRequired } },
      });
    });
  }
}

function notFound(): AppError {
  return new AppError('auth.workspace_not_found', 'There is no such workspace.');
}
