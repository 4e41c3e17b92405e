import { Injectable } from '@nestjs/common';
import { AppLogger } from '#libs/telemetry';
import { PasswordProofService, wrongCredentials, type ProofInput } from '../account/password-proof.service.js';
import { PasswordService } from '../password/password.service.js';
import { SecondFactorCheckService } from '../second-factor/second-factor-check.service.js';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import { UserRepository, type SignInCandidate } from '../user/user.repository.js';
import { SessionMetrics } from './session.metrics.js';
import { SessionOpenerService, type OpenedSession } from './session-opener.service.js';

/** Signing in by password, and by the second factor of who has one. */
@Injectable()
export class SignInService {
  constructor(
    private readonly users: UserRepository,
    private readonly passwords: PasswordService,
    private readonly proofs: PasswordProofService,
    private readonly secondFactors: SecondFactorCheckService,
    private readonly opener: SessionOpenerService,
    private readonly transactions: TransactionRepository,
    private readonly metrics: SessionMetrics,
    private readonly logger: AppLogger,
  ) {}

  async signIn(input: ProofInput): Promise<OpenedSession> {
    const proven = await this.proofs.prove(input);
    await this.secondFactors.check(proven, input.secondFactor);
    const { candidate, attempt } = proven;
    const signedIn = await this.openSession(candidate, input);
    this.metrics.signIns.inc({ outcome: 'ok' });
    this.logger.info({ userId: candidate.id }, 'signed in');
    await this.proofs.succeeded(attempt);
    await this.rehash(candidate, input.password);
    return signedIn;
  }

  private openSession(candidate: SignInCandidate, { clientAddress, userAgent }: ProofInput): Promise<OpenedSession> {
    return this.transactions.run(async (transaction) => {
      const locked = await this.users.lockForToken(transaction, candidate);
      // Disabled since the password was read, or given another password, which ends all sessions of the old one.
      const isStillGood = locked && (await this.users.hasPasswordHash(transaction, candidate));
      if (!isStillGood) throw wrongCredentials();
      return this.opener.open(transaction, locked, { by: 'PASSWORD', clientAddress, userAgent });
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
