import { Injectable } from '@nestjs/common';
import type { Permission, Reacher, WorkspaceAccess } from '#libs/identity';
import { isPermission } from '#libs/identity';
import { AppError, isId } from '#libs/kernel';
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

  /**
   * One look at all that is running, page by page. Where a workspace's access cannot be looked up, it goes on until the next look.
   * @throws where auth says nothing at all: what is left waits for the next look as well
   */
  async sweep(signal: AbortSignal, pageMax = pageExecutionsMax): Promise<void> {
    const ids = await this.repository.running();
    for (let begin = 0; begin < ids.length && !signal.aborted; begin += pageMax) {
      const page = await this.repository.find(ids.slice(begin, begin + pageMax));
      const running = Map.groupBy(page, ({ workspaceId }) => workspaceId);
      const looks = await Promise.allSettled(
        [...running].map(([workspaceId, executions]) => this.look(workspaceId, executions)),
      );
      for (const look of looks) if (look.status === 'rejected') throw look.reason;
    }
  }

  private async look(workspaceId: string, executions: readonly RunningExecution[]): Promise<void> {
    const askers = await this.askersOf(workspaceId, executions).catch((err: unknown) => {
      if (isSilence(err)) throw err;
      this.cannotSay(workspaceId, err);
    });
    if (!askers) return;
    try {
      const access = await this.access.watched(workspaceId);
      for (const execution of executions) {
        if (mayGoOn(execution, askers.get(askerOf(execution)), access)) continue;
        const { id, callerId } = execution;
        await this.cancels.leave(id, { workspaceId, callerId }, callerId);
        this.logger.info({ executionId: id, callerId }, 'an execution was cancelled, as its caller has lost access');
      }
    } catch (err) {
      this.cannotSay(workspaceId, err);
    }
  }

  private cannotSay(workspaceId: string, err: unknown): void {
    this.logger.warn({ err, workspaceId }, 'nobody could say who may still run what is running');
  }

  private async askersOf(
    workspaceId: string,
    executions: readonly RunningExecution[],
  ): Promise<ReadonlyMap<string, Reacher>> {
    const users = await this.auth.rightsOf(workspaceId, [...new Set(executions.map(askerOf))]);
    return new Map(
      users.map(({ userId, permissions, groupNames }) => [
        userId,
        { userId, permissions: new Set(permissions.filter(isPermission)), groups: groupNames },
      ]),
    );
  }
}

/** No answer for one workspace is none for the next either; any other fault may be the workspace's own. */
function isSilence(error: unknown): boolean {
  return error instanceof AppError && (error.code === 'bus.timeout' || error.code === 'bus.unavailable');
}

function askerOf({ callerId, accountId }: RunningExecution): string {
  return isId('guest', callerId) ? accountId : callerId;
}

function mayGoOn(execution: RunningExecution, asker: Reacher | undefined, access: WorkspaceAccess): boolean {
  const needed: Permission = execution.savedQueryId === undefined ? 'query.run' : 'saved_query.run';
  return asker !== undefined && asker.permissions.has(needed) && access.reachesExecution(asker, execution);
}
