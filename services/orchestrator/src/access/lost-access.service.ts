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
   * @throws where auth is in trouble, when all has been looked at; at once where it says nothing: each page would take as long, and what is
   * left waits for the next look as well
   */
  async sweep(signal: AbortSignal, pageMax = pageExecutionsMax): Promise<void> {
    const ids = await this.repository.running();
    const faults: unknown[] = [];
    for (let begin = 0; begin < ids.length && !signal.aborted; begin += pageMax) {
      const page = await this.repository.find(ids.slice(begin, begin + pageMax));
      const running = Map.groupBy(page, ({ workspaceId }) => workspaceId);
      const looks = await Promise.allSettled(
        [...running].map(([workspaceId, executions]) => this.look(workspaceId, executions)),
      );
      for (const look of looks) if (look.status === 'rejected') faults.push(look.reason);
      if (faults.some(isSilence)) break;
    }
    if (faults.length > 0) throw faults[0];
  }

  private async look(workspaceId: string, executions: readonly RunningExecution[]): Promise<void> {
    const askers = await this.askersOf(workspaceId, executions).catch((err: unknown) => {
      if (isSilence(err) || isTrouble(err)) throw err;
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

/** No answer for one workspace is none for the next either. */
function isSilence(error: unknown): boolean {
  return error instanceof AppError && error.code === 'bus.timeout';
}

/** It may be auth's or one workspace's alone, as where a statement takes too long; any other fault is the workspace's own. */
function isTrouble(error: unknown): boolean {
  return error instanceof AppError && error.code === 'bus.unavailable';
}

function askerOf({ callerId, accountId }: RunningExecution): string {
  return isId('guest', callerId) ? accountId : callerId;
}

function mayGoOn(execution: RunningExecution, asker: Reacher | undefined, access: WorkspaceAccess): boolean {
  const needed: Permission = execution.savedQueryId === undefined ? 'query.run' : 'saved_query.run';
  return asker !== undefined && asker.permissions.has(needed) && access.reachesExecution(asker, execution);
}
