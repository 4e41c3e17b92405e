import type { Principal, TokenVerifier } from '#libs/identity';
import { AppError, type ErrorCode } from '#libs/kernel';
import type { AuthClient } from '../plan/auth.client.js';

interface Actor {
  readonly principal: Principal;
  readonly accessToken: string;
}

/** What a token is refused with that is good no longer, where another one may be. */
const outworn: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'auth.unauthenticated',
  'auth.token_expired',
  'auth.token_revoked',
]);

/** Those in whose names queries of one workspace are asked. Their tokens are used for as long as they are good. */
export class WarmUpActors {
  private readonly tokens = new Map<string, string>();

  constructor(
    private readonly workspaceId: string,
    private readonly auth: AuthClient,
    private readonly verifier: TokenVerifier,
  ) {}

  /** @throws AppError `auth.user_not_found`, or because auth cannot be asked now */
  async get(userId: string): Promise<Actor> {
    const known = this.tokens.get(userId);
    const actor = known === undefined ? undefined : await this.verified(known);
    if (actor) return actor;
    const accessToken = await this.auth.actFor(this.workspaceId, userId);
    this.tokens.set(userId, accessToken);
    return { accessToken, principal: await this.verifier.verify(accessToken) };
  }

  private async verified(accessToken: string): Promise<Actor | undefined> {
    try {
      return { accessToken, principal: await this.verifier.verify(accessToken) };
    } catch (error) {
      if (error instanceof AppError && outworn.has(error.code)) return undefined;
      throw error;
    }
  }
}
