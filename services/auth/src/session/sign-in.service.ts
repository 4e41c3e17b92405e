import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { authRequests, RequestOf, ResponseOf } from '#libs/contracts';
import { AuditRepository } from '#libs/database';
import { AppError } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import type { AuthConfig } from '../auth.config.js';
import { normalizeEmail } from '../input/email.js';
import { LdapSignInService } from '../ldap/ldap-sign-in.service.js';
import { normalizeLogin } from '../ldap/ldap-login.js';
import { PasswordService } from '../password/password.service.js';
import { SignInThrottleService, type Attempt } from '../throttle/sign-in-throttle.service.js';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import { UserRepository, type SignInCandidate } from '../user/user.repository.js';
import { slugPattern } from '../workspace/slug.js';
import { SessionMetrics } from './session.metrics.js';
import { SessionOpener } from './session-opener.service.js';
import { SessionTokenService } from './session-token.service.js';
import { SignInFailures } from './sign-in-failures.service.js';

type SignInInput = RequestOf<typeof authRequests.signIn>;
type SignedIn = ResponseOf<typeof authRequests.signIn>;

interface Examined {
  /** Whose password it would have to be. */
  readonly known: SignInCandidate | undefined;
  readonly proven?: SignInCandidate;
}

/**
 * Signing in by password, one of our own or a directory's. Who is unknown, has no password, is disabled or mistypes gets the same answer after the same
 * work: exactly one hash is computed for each attempt.
 */
@Injectable()
export class SignInService {
  constructor(
    private readonly users: UserRepository,
    private readonly passwords: PasswordService,
    private readonly directories: LdapSignInService,
    private readonly throttle: SignInThrottleService,
    private readonly opener: SessionOpener,
    private readonly tokens: SessionTokenService,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly failures: SignInFailures,
    private readonly metrics: SessionMetrics,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'signIn'>,
  ) {}

  async signIn(input: SignInInput): Promise<SignedIn> {
    const attempt: Attempt = { email: accountOf(input.email), clientAddress: input.clientAddress };
    const { known, proven: candidate } = await this.check(attempt, input);
    if (!candidate) return this.byDirectory(attempt, input, known);
    const signedIn = await this.openSession(candidate);
    this.metrics.signIns.inc({ outcome: 'ok' });
    this.logger.info({ userId: candidate.id }, 'signed in');
    await this.throttle.succeeded(attempt);
    await this.rehash(candidate, input.password);
    return signedIn;
  }

  /** Asked whoever it was, known here or not, so that its time tells nothing either. */
  private async byDirectory(
    attempt: Attempt,
    { email, password, workspace }: SignInInput,
    known: SignInCandidate | undefined,
  ): Promise<SignedIn> {
    // Counted before it answers, which takes so long that a burst of guesses would otherwise run side by side.
    await this.throttle.failed(attempt);
    const signedIn = await this.directories.signIn(email, password, workspace);
    if (signedIn) {
      await this.throttle.succeeded(attempt);
      await this.throttle.takeBack(attempt);
      return signedIn;
    }
    if (known) this.failures.note(known, 'WRONG_CREDENTIALS');
    this.metrics.signIns.inc({ outcome: 'wrong' });
    throw wrongCredentials();
  }

  /** Whether it is a password of ours. */
  private async check(attempt: Attempt, { email, password, workspace }: SignInInput): Promise<Examined> {
    const [known, another] = await this.candidates(normalizeEmail(email) ?? '', workspace);
    const isRight = await this.passwords.verify(known?.passwordHash, password, () => this.admit(attempt, known));
    if (!known || !isRight) return { known };
    // Only who knows the password of one of them learns that there are several.
    if (another) {
      throw new AppError('input.invalid', 'This address is known in several workspaces: name one.', {
        path: ['workspace'],
      });
    }
    return { known, proven: known };
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

  private openSession(candidate: SignInCandidate): Promise<SignedIn> {
    return this.transactions.run(async (transaction) => {
      const locked = await this.users.lockForToken(transaction, candidate);
      // Disabled since the password was read.
      if (!locked) throw wrongCredentials();
      const { session, refreshToken } = await this.opener.openByToken(transaction, candidate);
      await this.audit.add(transaction, {
        action: 'session.signed_in',
        target: { type: 'session', id: session.id },
        workspaceId: candidate.workspaceId,
        actor: { kind: 'USER', id: candidate.id, sessionId: session.id },
        after: { by: 'PASSWORD' },
      });
      return { ...(await this.tokens.issue(locked, session)), refreshToken };
    });
  }

  /** Passwords move to today's parameters when they are next known. A failure is for the log: the user is signed in. */
  private async rehash(candidate: SignInCandidate, password: string): Promise<void> {
    if (!this.passwords.needsRehash(candidate.passwordHash)) return;
    try {
      const replacement = await this.passwords.hash(password);
      await this.users.replacePasswordHash(candidate, candidate.passwordHash, replacement);
    } catch (err) {
      this.logger.warn({ err, userId: candidate.id }, 'a password could not be hashed anew');
    }
  }
}

/** What attempts are counted by. A directory knows users by other names than addresses; what is neither is limited as one. */
function accountOf(typed: string): string {
  return normalizeEmail(typed) ?? normalizeLogin(typed)?.toLowerCase() ?? '';
}

function wrongCredentials(): AppError {
  return new AppError('auth.credentials_wrong', 'The address, the password or the workspace is wrong.');
}
