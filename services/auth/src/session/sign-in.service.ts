import { Injectable } from '@nestjs/common';
import type { authRequests, ResponseOf } from '#libs/contracts';
import { AppError, type ErrorCode } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { PasswordProofService, wrongCredentials, type ProofInput } from '../account/password-proof.service.js';
import { LdapSignInService } from '../ldap/ldap-sign-in.service.js';
import { PasswordService } from '../password/password.service.js';
import { SecondFactorCheckService } from '../second-factor/second-factor-check.service.js';
import type { Attempt } from '../throttle/sign-in-throttle.service.js';
import { TransactionRepository, type Transaction } from '../transaction/transaction.repository.js';
import { UserRepository, type SignInCandidate } from '../user/user.repository.js';
import type { UserKey } from '../user/user.types.js';
import { SessionMetrics } from './session.metrics.js';
import { SessionOpenerService } from './session-opener.service.js';

type SignedIn = ResponseOf<typeof authRequests.signIn>;

/** The password was right: a code is missing, or the directory was changed or deleted after it had confirmed it. */
const noGuesses: readonly ErrorCode[] = [
  'auth.second_factor_required',
  'sso.provider_changed',
  'identity_provider.not_found',
];

/** Signing in by password, one of our own or a directory's, and by the second factor of who has one. */
@Injectable()
export class SignInService {
  constructor(
    private readonly users: UserRepository,
    private readonly passwords: PasswordService,
    private readonly proofs: PasswordProofService,
    private readonly directories: LdapSignInService,
    private readonly secondFactors: SecondFactorCheckService,
    private readonly opener: SessionOpenerService,
    private readonly transactions: TransactionRepository,
    private readonly metrics: SessionMetrics,
    private readonly logger: AppLogger,
  ) {}

  async signIn(input: ProofInput): Promise<SignedIn> {
    // Beforehand, so that nothing lies between a wrong password and its being counted.
    const directories = await this.directories.findFor(input.workspace);
    const { attempt, candidate: known, proven } = await this.proofs.examine(input);
    if (!proven) return this.byDirectory(input, { ...attempt, directories }, known);
    await this.secondFactors.check(proven, input.secondFactor);
    const { candidate } = proven;
    const signedIn = await this.openSession(candidate, input);
    this.metrics.signIns.inc({ outcome: 'ok' });
    this.logger.info({ userId: candidate.id }, 'signed in');
    await this.proofs.succeeded(attempt);
    await this.rehash(candidate, input.password);
    return signedIn;
  }

  /** Asked whoever it was, known here or not, so that its time tells nothing either. */
  private async byDirectory(
    input: ProofInput,
    attempt: Required<Attempt>,
    known: SignInCandidate | undefined,
  ): Promise<SignedIn> {
    // Counted before it answers, which takes so long that a burst of guesses would otherwise run side by side.
    await this.proofs.suspect(attempt);
    const signedIn = await this.directories
      .signIn(attempt.directories, input, (transaction, user) => this.admit(transaction, user, input.secondFactor))
      .catch(async (error: unknown) => {
        if (noGuesses.some((code) => isRefusal(error, code))) await this.proofs.takeBack(attempt);
        throw error;
      });
    if (!signedIn) {
      this.proofs.refused(known, 'WRONG_CREDENTIALS');
      throw wrongCredentials();
    }
    await this.proofs.cleared(attempt);
    return signedIn;
  }

  /** A directory's password is typed into us like one of ours, so it skips no second factor. */
  private async admit(transaction: Transaction, user: UserKey, code: string | undefined): Promise<void> {
    try {
      await this.secondFactors.checkOfDirectory(transaction, user, code);
    } catch (error) {
      if (isRefusal(error, 'auth.second_factor_wrong')) this.proofs.refused(user, 'WRONG_SECOND_FACTOR');
      throw error;
    }
  }

  private openSession(candidate: SignInCandidate, { clientAddress, userAgent }: ProofInput): Promise<SignedIn> {
    return this.transactions.run(async (transaction) => {
      const locked = await this.users.lockForToken(transaction, candidate);
      // Disabled since the password was read, or given another password, which ends all sessions of the old one.
      const isStillGood = locked && (await this.users.hasPasswordHash(transaction, candidate));
      if (!isStillGood) throw wrongCredentials();
      return this.opener.openByPassword(transaction, locked, { clientAddress, userAgent });
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

function isRefusal(error: unknown, code: ErrorCode): boolean {
  return error instanceof AppError && error.code === code;
}
