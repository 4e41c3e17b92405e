import { Injectable } from '@nestjs/common';
import type { Execution } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { AppError, isId } from '#libs/kernel';
import { StopService } from '../reaping/stop.service.js';
import { RunChanges } from '../run/run-changes.service.js';
import { CancelRepository } from './cancel.repository.js';
import { ExecutionService, sightOf } from './execution.service.js';
import type { Sight } from './execution.types.js';

@Injectable()
export class CancelService {
  constructor(
    private readonly repository: CancelRepository,
    private readonly executions: ExecutionService,
    private readonly changes: RunChanges,
    private readonly stops: StopService,
  ) {}

  /** Cancels one caller's execution, their own or with `execution.manage` anyone's. Already final: no error. */
  async cancel(executionId: string, principal: Principal): Promise<Execution> {
    const reach = reachOf(principal);
    // What the caller no longer sees is not there to be cancelled.
    await this.executions.get(executionId, principal, widest(reach, sightOf(principal)));
    if (!isId('execution', executionId) || !(await this.leave(executionId, reach, principal.userId))) {
      // Who sees another's execution learns that it may not be cancelled; who does not, learns nothing.
      await this.executions.get(executionId, principal, sightOf(principal));
      throw new AppError('auth.forbidden', 'Another’s execution needs the permission execution.manage.');
    }
    return this.executions.get(executionId, principal, reach);
  }

  /** Takes one caller out of a run, which ends with the last of them. @returns whether there is such an execution */
  async leave(executionId: string, reach: Sight, byUserId: string): Promise<boolean> {
    const outcome = await this.repository.leave(executionId, reach, byUserId);
    if (outcome.kind === 'left') this.changes.left(outcome.change);
    if (outcome.kind === 'moved') {
      this.changes.moved(outcome.run);
      if (outcome.run.state === 'CANCELING') this.stops.start(outcome.run);
    }
    return outcome.kind !== 'absent';
  }
}

function widest(one: Sight, other: Sight): Sight {
  return one.callerId === undefined ? one : other;
}

function reachOf(principal: Principal): Sight {
  return {
    workspaceId: principal.workspaceId,
    callerId: principal.permissions.has('execution.manage') ? undefined : principal.userId,
  };
}
