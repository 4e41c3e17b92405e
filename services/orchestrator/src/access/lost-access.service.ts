import { Injectable } from '@nestjs/common';
import type { Permission, Reacher, WorkspaceAccess } from '#libs/identity';
import { isPermission } from '#libs/identity';
import { isId } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { CancelService } from '../execution/cancel.service.js';
import { AuthClient } from '../plan/auth.client.js';
import { AssetAccess } from './asset-access.service.js';
import { LostAccessRepository, type RunningExecution } from './lost-access.repository.js';

const pageExecutionsMax = 1_000;

/**
 * Cancels what somebody runs who may no longer: whose grant or role is gone, or who is. What a key or a guest may do less than its
 * account is not looked at, as that does not change while a statement runs.
 */
@Injectable()
export class LostAccessService {
  constructor(
    private readonly repository: LostAccessRepository,
    private readonly auth: AuthClient,
    private readonly access: AssetAccess,
    private readonly cancels: CancelService,
    private readonly logger: AppLogger,
  ) {}

  /** One look at all that is running, page by page. Where nobody can say who may do what, it goes on until the next look. */
  async sweep(pageMax = pageExecutionsMax): Promise<void> {
    let page: readonly RunningExecution[] = [];
    do {
      page = await this.repository.running(pageMax, page.at(-1));
      const running = Map.groupBy(page, ({ workspaceId }) => workspaceId);
      await Promise.all([...running].map(([workspaceId, executions]) => this.look(workspaceId, executions)));
    } while (page.length === pageMax);
  }

  private async look(workspaceId: string, executions: readonly RunningExecution[]): Promise<void> {
    try {
      const ids = [...new Set(executions.map(askerOf))];
      const [users, access] = await Promise.all([
        this.auth.rightsOf(workspaceId, ids),
        this.access.watched(workspaceId),
      ]);
      const askers = new Map<string, Reacher>(
        users.map(({ userId, permissions, groupNames }) => [
          userId,
          { userId, permissions: new Set(permissions.filter(isPermission)), groups: groupNames },
        ]),
      );
      for (const execution of executions) {
        if (mayGoOn(execution, askers.get(askerOf(execution)), access)) continue;
        const { id, callerId } = execution;
        await this.cancels.leave(id, { workspaceId, callerId }, callerId);
        this.logger.info({ executionId: id, callerId }, 'an execution was cancelled, as its caller has lost access');
      }
    } catch (err) {
      this.logger.warn({ err, workspaceId }, 'nobody could say who may still run what is running');
    }
  }
}

function askerOf({ callerId, accountId }: RunningExecution): string {
  return isId('guest', callerId) ? accountId : callerId;
}

function mayGoOn(execution: RunningExecution, asker: Reacher | undefined, access: WorkspaceAccess): boolean {
  const needed: Permission = execution.savedQueryId === undefined ? 'query.run' : 'saved_query.run';
  return asker !== undefined && asker.permissions.has(needed) && access.reachesExecution(asker, execution);
}
