import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { authRequests, RequestOf } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import type { AuthConfig } from '../auth.config.js';
import { normalizeEmail } from '../input/email.js';
import { PasswordService } from '../password/password.service.js';
import { SessionMetrics } from '../session/session.metrics.js';
import { SignInFailures } from '../session/sign-in-failures.service.js';
import { SignInThrottleService, type Attempt } from '../throttle/sign-in-throttle.service.js';
import { UserRepository, type SignInCandidate } from '../user/user.repository.js';
import type { UserKey } from '../user/user.types.js';
import { slugPattern } from '../workspace/slug.js';

export type ProofInput = RequestOf<typeof authRequests.signIn>;

/** Somebody who knew the password, and the attempt that counts as failed where what follows fails. */
export interface ProvenPassword {
  readonly attempt: Attempt;
  readonly candidate: SignInCandidate;
}

export interface ExaminedPassword {
  readonly attempt: Attempt;
  /** Whose password it would have to be. */
  readonly candidate: SignInCandidate | undefined;
  readonly proven?: ProvenPassword;
}

/**
 * Proves who somebody is by password. Who is unknown, has no password, is disabled or mistypes gets the same answer after the
 * same work: exactly one hash is computed for each attempt.
 */
@Injectable()
export class PasswordProofService {
  constructor(
    private readonly users: UserRepository,
    private readonly passwords: PasswordService,
    private readonly throttle: SignInThrottleService,
    private readonly failures: SignInFailures,
    private readonly metrics: SessionMetrics,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'signIn'>,
  ) {}

  /** @throws AppError `auth.credentials_wrong` */
  async prove(input: ProofInput): Promise<ProvenPassword> {
    const { attempt, candidate, proven } = await this.examine(input);
    if (proven) return proven;
    await this.failed(attempt, candidate, 'WRONG_CREDENTIALS');
    throw wrongCredentials();
  }

  /** Whether it is a password of ours. One that is not is the caller's to count, who may know where else to ask. */
  async examine({ email, password, workspace, clientAddress }: ProofInput): Promise<ExaminedPassword> {
    const attempt: Attempt = { typed: email, workspace, clientAddress };
    const [candidate, another] = await this.candidates(normalizeEmail(email) ?? '', workspace);
    const isRight = await this.passwords.verify(candidate?.passwordHash, password, () =>
      this.admit(attempt, candidate),
    );
    if (!candidate || !isRight) return { attempt, candidate };
    // Only who knows the password of one of them learns that there are several.
    if (another) {
      throw new AppError('input.invalid', 'This address is known in several workspaces: name one.', {
        path: ['workspace'],
      });
    }
    return { attempt, candidate, proven: { attempt, candidate } };
  }

  /** @param reason its class, for the audit log */
  async failed(attempt: Attempt, candidate: SignInCandidate | undefined, reason: string): Promise<void> {
    await this.throttle.failed(attempt);
    this.refused(candidate, reason);
  }

  /** Counts beforehand what may turn out to be no failure. */
  async suspect(attempt: Attempt): Promise<void> {
    await this.throttle.failed(attempt);
  }

  async cleared(attempt: Attempt): Promise<void> {
    await this.throttle.takeBack(attempt);
    await this.throttle.succeeded(attempt);
  }

  /** It was no guess, and proves nothing: what failed before stays counted. */
  async takeBack(attempt: Attempt): Promise<void> {
    await this.throttle.takeBack(attempt);
  }

  refused(candidate: UserKey | undefined, reason: string): void {
    if (candidate) this.failures.note(candidate, reason);
    this.metrics.signIns.inc({ outcome: 'wrong' });
  }

  async succeeded(attempt: Attempt): Promise<void> {
    await this.throttle.succeeded(attempt);
  }

  private async candidates(email: string, workspace: string | undefined): Promise<SignInCandidate[]> {
    if (email === '' || (workspace !== undefined && !slugPattern.test(workspace))) return [];
    return this.users.findForSignIn(email, workspace, this.config.signIn.passwordWorkspaces);
  }

  private async admit(attempt: Attempt, candidate: SignInCandidate | undefined): Promise<void> {
    try {
      await this.throttle.admit(attempt);
    } catch (error) {
      this.metrics.signIns.inc({ outcome: 'throttled' });
      if (candidate) this.failures.note(candidate, 'THROTTLED');
      throw error;
    }
  }
}

export function wrongCredentials(): AppError {
  return new AppError('auth.credentials_wrong', 'The address, the password or the workspace is wrong.');
}
