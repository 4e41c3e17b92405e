import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { AppError } from '#libs/kernel';
import type { AuthConfig } from '../auth.config.js';
import type { IssuedToken } from '../signing/token-issuer.service.js';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import { UserRepository } from '../user/user.repository.js';
import { SessionCookieRepository } from './session-cookie.repository.js';
import { hashOfSessionCookie } from './session-opener.service.js';
import { SessionTokenService } from './session-token.service.js';

/** Short access tokens for the cookies of browsers. */
@Injectable()
export class BrowserSessionService {
  constructor(
    private readonly cookies: SessionCookieRepository,
    private readonly users: UserRepository,
    private readonly tokens: SessionTokenService,
    private readonly transactions: TransactionRepository,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'session'>,
  ) {}

  /** @throws AppError `auth.unauthenticated` where the session is over or there never was one */
  async exchange(cookie: string): Promise<IssuedToken> {
    const hash = hashOfSessionCookie(cookie);
    const owner = hash && (await this.cookies.findUserOf(hash));
    if (!hash || !owner) throw sessionOver();
    const issued = await this.transactions.run(async (transaction) => {
      const locked = await this.users.lockForToken(transaction, owner);
      const session = locked && (await this.cookies.use(transaction, hash, this.config.session.idleSeconds));
      return locked && session && this.tokens.issue(locked, session);
    });
    if (!issued) throw sessionOver();
    return issued;
  }
}

function sessionOver(): AppError {
  return new AppError('auth.unauthenticated', 'The session has ended. Sign in again.');
}
