import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { AuthConfig } from '../auth.config.js';
import { permissionsOf } from '../role/permissions-of.js';
import { tokenEnd, TokenIssuerService, type IssuedToken } from '../signing/token-issuer.service.js';
import type { LockedUser } from '../user/user.repository.js';
import type { SessionRow } from './session.repository.js';

/** Access tokens of sessions: all that the user may do now. */
@Injectable()
export class SessionTokenService {
  constructor(
    private readonly issuer: TokenIssuerService,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'accessTokenTtlSeconds'>,
  ) {}

  issue({ user, issuedAt }: LockedUser, session: SessionRow): Promise<IssuedToken> {
    return this.issuer.issue({
      userId: user.id,
      workspaceId: user.workspaceId,
      sessionId: session.id,
      permissions: permissionsOf(user),
      groups: user.groupNames,
      issuedAt,
      expiresAt: tokenEnd(issuedAt, this.config.accessTokenTtlSeconds, session.expiresAt),
    });
  }
}
