import { applyDecorators, UseGuards } from '@nestjs/common';
import { AccessGuard } from './access.guard.js';
import { setAccessRule, type AccessRule, type Asker } from './access-rule.js';
import type { Permission } from './permissions.js';

// Every handler of a request has exactly one of these; a service with a handler without one refuses to start.

/** For callers who have any one of these permissions. */
export function Allow(...anyOf: readonly [Permission, ...Permission[]]): MethodDecorator {
  return guarded({ kind: 'permission', anyOf });
}

/** For every caller with a good token; what the request may do is decided in the handler. */
export function AllowAuthenticated(): MethodDecorator {
  return guarded({ kind: 'authenticated' });
}

/** For these services on their own behalf, never for a caller. */
export function AllowService(...services: readonly [Asker, ...Asker[]]): MethodDecorator {
  return guarded({ kind: 'service', services });
}

/** For everybody: what comes before signing in. */
export function AllowAnonymous(): MethodDecorator {
  return guarded({ kind: 'anonymous' });
}

function guarded(rule: AccessRule): MethodDecorator {
  const mark: MethodDecorator = (_target, _name, descriptor) => {
    const handler: unknown = descriptor.value;
    if (typeof handler !== 'function') throw new Error('an access rule is for methods only');
    setAccessRule(handler, rule);
  };
  return applyDecorators(mark, UseGuards(AccessGuard));
}
