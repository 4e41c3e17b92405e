import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { delay } from '#libs/kernel';
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
export class RetentionService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;

  constructor(
    private readonly sessions: SessionRepository,
    private readonly revocations: RevocationRepository,
    private readonly failures: SignInThrottleRepository,
    private readonly passwordTokens: PasswordTokenRepository,
    private readonly apiKeyRotations: ApiKeyRotationRepository,
    private readonly flows: SsoFlowRepository,
    private readonly logger: AppLogger,
  ) {}

  onApplicationBootstrap(): void {
    this.running = this.repeat();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped.abort();
    await this.running;
  }

  async deleteOld(): Promise<void> {
    await this.sessions.deleteOld();
    await this.revocations.deleteOld();
    await this.failures.deleteOld();
    await this.passwordTokens.deleteOld();
    await this.apiKeyRotations.deleteOld();
    await this.flows.deleteOld();
  }

  private async repeat(): Promise<void> {
    const { signal } = this.stopped;
    for (;;) {
      // Half to all of the interval, so that processes which started together do not work together.
      await delay(everyMs / 2 + Math.random() * (everyMs / 2), { signal, unref: true });
      if (signal.aborted) return;
      try {
        await this.deleteOld();
      } catch (err) {
        this.logger.warn({ err }, 'old rows could not be removed');
      }
    }
  }
}
