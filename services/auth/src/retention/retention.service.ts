import { Injectable } from '@nestjs/common';
import { ApiKeyRotationRepository } from '../api-key/api-key-rotation.repository.js';
import { PasswordTokenRepository } from '../password/password-token.repository.js';
import { SsoFlowRepository } from '../federation/sso-flow.repository.js';
import { RevocationRepository } from '../revocation/revocation.repository.js';
import { SessionRepository } from '../session/session.repository.js';
import { SignInThrottleRepository } from '../throttle/sign-in-throttle.repository.js';

/** Removes what can no longer matter, now and then. Several processes may do it at once: each deletes what is left. */
@Injectable()
export class RetentionService {
  constructor(
    private readonly sessions: SessionRepository,
    private readonly revocations: RevocationRepository,
    private readonly failures: SignInThrottleRepository,
    private readonly passwordTokens: PasswordTokenRepository,
    private readonly apiKeyRotations: ApiKeyRotationRepository,
    private readonly flows: SsoFlowRepository,
  ) {}

  async deleteOld(): Promise<void> {
    await this.sessions.deleteOld();
    await this.revocations.deleteOld();
    await this.failures.deleteOld();
    await this.passwordTokens.deleteOld();
    await this.apiKeyRotations.deleteOld();
    await this.flows.deleteOld();
  }
}
