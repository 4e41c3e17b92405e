import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { accountRequests, ResponseOf } from '#libs/contracts';
import { openText, sealText } from '#libs/encryption';
import { AuditRepository } from '#libs/database';
import type { Principal } from '#libs/identity';
import { AppError } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { PasswordProofService, type ProofInput } from '../account/password-proof.service.js';
import type { AuthConfig } from '../auth.config.js';
import { ManagedUserService } from '../account/managed-user.service.js';
import { normalizeEmail } from '../input/email.js';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import type { UserKey } from '../user/user.types.js';
import { WorkspaceService } from '../workspace/workspace.service.js';
import { newRecoveryCodes } from './recovery-codes.js';
import { aadOf, SecondFactorCheckService, wrongCode } from './second-factor-check.service.js';
import { SecondFactorRepository } from './second-factor.repository.js';
import { newTotpSecret, stepOfCode, totpUri } from './totp.js';

/**
 * Setting up a second factor and taking it away. Both are proven by the password: a stolen session cannot, and one who is
 * not let in without a second factor can.
 */
@Injectable()
export class SecondFactorService {
  constructor(
    private readonly proofs: PasswordProofService,
    private readonly checks: SecondFactorCheckService,
    private readonly factors: SecondFactorRepository,
    private readonly workspaces: WorkspaceService,
    private readonly managed: ManagedUserService,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'masterKeys'>,
  ) {}

  /** A new secret, which counts from its confirmation on. */
  async begin(proof: ProofInput): Promise<ResponseOf<typeof accountRequests.beginSecondFactor>> {
    const { candidate } = await this.proofs.prove(proof);
    const secret = newTotpSecret();
    const dataKey = await this.workspaces.openDataKey(candidate.workspaceId);
    const hasBegun = await this.factors.begin(candidate, sealText(secret, dataKey, aadOf(candidate)));
    if (!hasBegun) throw alreadyThere();
    return { secret, uri: totpUri(secret, normalizeEmail(proof.email) ?? '') };
  }

  /** @returns the recovery codes, which are shown here and never again */
  async confirm(proof: ProofInput): Promise<string[]> {
    const { candidate, attempt } = await this.proofs.prove(proof);
    const { sealedSecret, isConfirmed, nowMs } = await this.factors.read(candidate.id);
    if (sealedSecret === null || isConfirmed) throw isConfirmed ? alreadyThere() : notBegun();
    const secret = openText(sealedSecret, this.config.masterKeys, aadOf(candidate));
    const step = stepOfCode(secret, (proof.secondFactor ?? '').trim(), nowMs);
    if (step === undefined) {
      await this.proofs.failed(attempt, candidate, 'WRONG_SECOND_FACTOR');
      throw wrongCode();
    }
    const codes = newRecoveryCodes();
    await this.transactions.run(async (transaction) => {
      if (!(await this.factors.confirm(transaction, candidate.id, sealedSecret, step))) throw notBegun();
      const hashes = codes.map(({ hash }) => hash);
      await this.factors.addRecoveryCodes(transaction, candidate.id, hashes);
      await this.audit.add(transaction, recordOf('user.second_factor_added', candidate));
    });
    this.logger.info({ userId: candidate.id }, 'a second factor was set up');
    return codes.map(({ code }) => code);
  }

  /** With a code of it, or a recovery code. */
  async remove(proof: ProofInput): Promise<void> {
    const proven = await this.proofs.prove(proof);
    await this.checks.check(proven, proof.secondFactor);
    const { candidate } = proven;
    await this.transactions.run(async (transaction) => {
      const hasRemoved = await this.factors.remove(transaction, candidate.id);
      if (hasRemoved) await this.audit.add(transaction, recordOf('user.second_factor_removed', candidate));
    });
    this.logger.info({ userId: candidate.id }, 'a second factor was taken away by its user');
  }

  /** By an administrator, for one who has lost it. */
  async reset(userId: string, caller: Principal): Promise<void> {
    await this.transactions.run(async (transaction) => {
      const user = await this.managed.lock(transaction, userId, caller);
      const hasRemoved = await this.factors.remove(transaction, user.id);
      const { actor: _self, ...record } = recordOf('user.second_factor_removed', user);
      if (hasRemoved) await this.audit.add(transaction, record);
    });
    this.logger.info({ userId, byUserId: caller.userId }, 'a second factor was taken away by an administrator');
  }
}

/** For the audit log; the password has proven who it is, and there is no token that says it. */
function recordOf(action: string, { workspaceId, id }: UserKey) {
  return { action, target: { type: 'user', id }, workspaceId, actor: { kind: 'USER', id } as const };
}

function alreadyThere(): AppError {
  return new AppError('entity.conflict', 'There is a second factor already. Remove it first.');
}

function notBegun(): AppError {
  return new AppError('entity.conflict', 'No second factor is being set up. Begin anew.');
}
