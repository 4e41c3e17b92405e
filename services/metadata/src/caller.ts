import type { BusContext } from '#libs/bus';
import { principalOf, type Permission } from '#libs/identity';

/** Who asks, as proven by the access token; the envelope alone decides nothing. */
export interface Caller {
  readonly workspaceId: string;
  readonly userId: string;
  readonly requestId: string;
  readonly permissions: ReadonlySet<Permission>;
  /** What is left of the request's time. */
  remainingMs(): number;
}

export function callerOf(context: BusContext): Caller {
  const { workspaceId, userId, permissions } = principalOf(context);
  return {
    workspaceId,
    userId,
    permissions,
    requestId: context.requestId,
    remainingMs: () => context.remainingMs(),
  };
}
