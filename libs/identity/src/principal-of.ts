import type { BusContext } from '#libs/bus';
import type { Principal } from './principal.js';

const principals = new WeakMap<BusContext, Principal>();

/** For AccessGuard alone, which has proven it. */
export function rememberPrincipal(context: BusContext, principal: Principal): void {
  principals.set(context, principal);
}

/** Who sent this request, as AccessGuard has proven. @throws Error in a handler that lets in others than callers */
export function principalOf(context: BusContext): Principal {
  const principal = principals.get(context);
  if (!principal) throw new Error('there is no principal: the handler needs @Allow or @AllowAuthenticated');
  return principal;
}
