import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { AuthConfig } from '../auth.config.js';
import type { Transaction } from '../transaction/transaction.repository.js';
import { PasswordTokenRepository } from './password-token.repository.js';
import { hashOfPasswordToken, newPasswordToken, type PasswordTokenPurpose } from './password-token.js';

const names = { RESET: 'reset', INVITATION: 'invitation' } as const satisfies Record<PasswordTokenPurpose, string>;

/** The links by which somebody sets a password. */
@Injectable()
export class PasswordLinkService {
  constructor(
    private readonly tokens: PasswordTokenRepository,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'accountUrl' | 'passwordTokens'>,
  ) {}

  /** A new link; the one before it ends. The token is behind the #, which no server, log or Referer sees. */
  async make(userId: string, purpose: PasswordTokenPurpose, transaction: Transaction): Promise<string> {
    const token = newPasswordToken();
    const hash = hashOfPasswordToken(token, purpose);
    if (!hash) throw new Error('a new token has another form than an old one');
    await this.tokens.replace(userId, { hash, purpose, ttlSeconds: this.ttlSecondsOf(purpose) }, transaction);
    return `${this.config.accountUrl}#${names[purpose]}=${token}`;
  }

  ttlSecondsOf(purpose: PasswordTokenPurpose): number {
    const { resetTtlSeconds, invitationTtlSeconds } = this.config.passwordTokens;
    return purpose === 'RESET' ? resetTtlSeconds : invitationTtlSeconds;
  }
}
