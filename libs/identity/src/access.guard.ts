import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { BusContext } from '#libs/bus';
import { AppError, nameActor } from '#libs/kernel';
import { accessRuleOf } from './access-rule.js';
import type { Permission } from './permissions.js';
import type { Principal } from './principal.js';
import { rememberPrincipal } from './principal-of.js';
import { TokenVerifier } from './token-verifier.js';

/** Lets a request through to its handler by the handler's access rule; the token is proven here, in every service. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(private readonly verifier: TokenVerifier) {}

  async canActivate(execution: ExecutionContext): Promise<boolean> {
    const rule = accessRuleOf(execution.getHandler());
    const context = execution.switchToRpc().getContext<BusContext>();
    switch (rule?.kind) {
      case 'anonymous':
        return true;
      case 'authenticated':
        await this.authenticate(context);
        return true;
      case 'permission':
        requireAnyOf(rule.anyOf, await this.authenticate(context));
        return true;
      case 'service':
        requireService(rule.services, context);
        return true;
      case undefined:
        throw new Error('a handler has no access rule');
    }
  }

  private async authenticate(context: BusContext): Promise<Principal> {
    if (context.actor.case !== 'accessToken') throw new AppError('auth.unauthenticated', 'Sign in first.');
    const principal = await this.verifier.verify(context.actor.value);
    // The token decides where the caller is; an envelope that says otherwise was not made by one of us.
    if (context.workspaceId !== principal.workspaceId) {
      throw new AppError(
        'auth.unauthenticated',
        'The access token is not good. Sign in again, or refresh the session.',
        {
          internalMessage: `a token of ${principal.workspaceId} came in an envelope of ${context.workspaceId}`,
        },
      );
    }
    rememberPrincipal(context, principal);
    const { userId: id, sessionId, apiKeyId } = principal;
    nameActor({ kind: 'USER', id, sessionId, apiKeyId });
    return principal;
  }
}

function requireAnyOf(anyOf: readonly Permission[], { permissions }: Principal): void {
  if (anyOf.some((permission) => permissions.has(permission))) return;
  throw new AppError('auth.forbidden', `This needs the permission ${anyOf.join(' or ')}.`);
}

function requireService(services: readonly string[], { actor }: BusContext): void {
  if (actor.case === 'service' && services.includes(actor.value)) return;
  throw new AppError('auth.forbidden', 'This is not for callers.', {
    internalMessage: `only ${services.join(', ')} may ask this`,
  });
}
