import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { PeriodicTask } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import { ApiKeyRotationRepository } from '../api-key/api-key-rotation.repository.js';
import { PasswordTokenRepository } from '../password/password-token.repository.js';
import { SsoFlowRepository } from '../federation/sso-flow.repository.js';
import { RevocationRepository } from '../revocation/revocation.repository.js';
import { SessionRepository } from '../session/session.repository.js';
import { SignInThrottleRepository } from '../throttle/sign-in-throttle.repository.js';

const everyMs = 600_000;

/** Removes what can no longer matter, now and then. Several processes may do it at once: each deletes what is left. */
@Injectable()
export class RetentionService implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly task: PeriodicTask;

  constructor(
    private readonly sessions: SessionRepository,
    private readonly revocations: RevocationRepository,
    private readonly failures: SignInThrottleRepository,
    private readonly passwordTokens: PasswordTokenRepository,
    private readonly apiKeyRotations: ApiKeyRotationRepository,
    private readonly flows: SsoFlowRepository,
    logger: AppLogger,
  ) {
    this.task = new PeriodicTask({ name: 'old rows', everyMs, jitter: 0.5, work: () => this.deleteOld() }, logger);
  }

  onApplicationBootstrap(): void {
    this.task.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.task.stop();
  }

  async deleteOld(): Promise<void> {
    await this.sessions.deleteOld();
    await this.revocations.deleteOld();
    await this.failures.deleteOld();
    await this.passwordTokens.deleteOld();
    await this.apiKeyRotations.deleteOld();
    await this.flows.deleteOld();
  }
}
