import { Injectable } from '@nestjs/common';
import type { authRequests, RequestOf } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { normalizeEmail } from '../input/email.js';
import { PasswordService } from '../password/password.service.js';
import { SessionMetrics } from '../session/session.metrics.js';
import { SignInFailures } from '../session/sign-in-failures.service.js';
import { SignInThrottleService, type Attempt } from '../throttle/sign-in-throttle.service.js';
import { UserRepository, type SignInCandidate } from '../user/user.repository.js';
import { slugPattern } from '../workspace/slug.js';

export type ProofInput = RequestOf<typeof authRequests.signIn>;

/** Somebody who knew the password, and the attempt that counts as failed where what follows fails. */
export interface ProvenPassword {
  readonly attempt: Attempt;
  readonly candidate: SignInCandidate;
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
  ) {}

  async prove({ email, password, workspace, clientAddress }: ProofInput): Promise<ProvenPassword> {
    // What is no address is limited like one.
    const attempt: Attempt = { email: normalizeEmail(email) ?? '', clientAddress };
    const [candidate, another] = await this.candidates(attempt.email, workspace);
    const isRight = await this.passwords.verify(candidate?.passwordHash, password, () =>
      this.admit(attempt, candidate),
    );
    if (!candidate || !isRight) {
      await this.failed(attempt, candidate, 'WRONG_CREDENTIALS');
      throw wrongCredentials();
    }
    // Only who knows the password of one of them learns that there are several.
    if (another) {
      throw new AppError('input.invalid', 'This address is known in several workspaces: name one.', {
        path: ['workspace'],
      });
    }
    return { attempt, candidate };
  }

  /** @param reason its class, for the audit log */
  async failed(attempt: Attempt, candidate: SignInCandidate | undefined, reason: string): Promise<void> {
    await this.throttle.failed(attempt);
    if (candidate) this.failures.note(candidate, reason);
    this.metrics.signIns.inc({ outcome: 'wrong' });
  }

  async succeeded(attempt: Attempt): Promise<void> {
    await this.throttle.succeeded(attempt);
  }

  private async candidates(email: string, workspace: string | undefined): Promise<SignInCandidate[]> {
    if (email === '' || (workspace !== undefined && !slugPattern.test(workspace))) return [];
    return this.users.findForSignIn(email, workspace);
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
