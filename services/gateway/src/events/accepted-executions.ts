import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Execution } from '#libs/contracts';
import { callerIdOf } from '../identity/caller.js';
import type { RequestContext } from '../request/request-context.js';
import { executionAt } from './run-level.js';
import { RunHubService } from './run-hub.service.js';

const keptMax = 10_000;
/** Whoever subscribes to what they have just submitted does so at once. */
const keptMs = 1_000;

/**
 * What the orchestrator has just accepted by way of this gateway. Its answer was a read of the primary, and this gateway
 * has heard every change since, so a subscription that begins within a moment needs no other read.
 */
@Injectable()
export class AcceptedExecutions {
  private readonly kept = new LRUCache<string, Execution>({ max: keptMax, ttl: keptMs });

  constructor(private readonly hub: RunHubService) {
    hub.onGap(() => this.kept.clear());
  }

  add(execution: Execution, context: RequestContext): void {
    this.kept.set(keyOf(execution.id, context), execution);
  }

  /** The execution as it is now; undefined where only a read can tell. */
  find(id: string, context: RequestContext): Execution | undefined {
    const accepted = this.kept.get(keyOf(id, context));
    if (!accepted || this.hub.hasOwnState(id)) return undefined;
    const level = this.hub.levelOf(accepted.runId);
    return level ? executionAt(accepted, level) : accepted;
  }
}

/** A caller finds what is their own. */
function keyOf(id: string, { caller }: RequestContext): string {
  return `${caller.principal.workspaceId}/${callerIdOf(caller)}/${id}`;
}
