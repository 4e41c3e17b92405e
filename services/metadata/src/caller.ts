import type { BusContext } from '#libs/bus';
import { principalOf, type Reacher } from '#libs/identity';

/** Who asks, as proven by the access token; the envelope alone decides nothing. */
export interface Caller extends Reacher {
  readonly workspaceId: string;
  readonly requestId: string;
  /** What is left of the request's time. */
  remainingMs(): number;
}

export function callerOf(context: BusContext): Caller {
  const { workspaceId, userId, permissions, groups, reach, guest } = principalOf(context);
  return {
    workspaceId,
    userId,
    permissions,
    groups,
    reach,
    guest,
    requestId: context.requestId,
    remainingMs: () => context.remainingMs(),
  };
}
