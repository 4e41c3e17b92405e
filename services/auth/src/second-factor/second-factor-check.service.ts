import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { openText } from '#libs/encryption';
import { AppError } from '#libs/kernel';
import { PasswordProofService, type ProvenPassword } from '../account/password-proof.service.js';
import type { AuthConfig } from '../auth.config.js';
import type { Transaction } from '../transaction/transaction.repository.js';
import type { UserKey } from '../user/user.types.js';
import { hashOfRecoveryCode } from './recovery-codes.js';
import { SecondFactorRepository, type SecondFactorState } from './second-factor.repository.js';
import { stepOfCode } from './totp.js';

/** The second proof of who signs in by password: a code that is good once, or a recovery code. */
@Injectable()
export class SecondFactorCheckService {
  constructor(
    private readonly factors: SecondFactorRepository,
    private readonly proofs: PasswordProofService,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'masterKeys'>,
  ) {}

  /**
   * Behind the password, so that nobody learns without it who has a second factor. What is wrong counts as a failed attempt,
   * what is missing does not.
   * @throws AppError `auth.second_factor_required`, `auth.second_factor_setup_required`, `auth.second_factor_wrong`
   */
  async check({ candidate, attempt }: ProvenPassword, code: string | undefined): Promise<void> {
    const state = await this.factors.read(candidate.id);
    if (state.isRequired && !state.isConfirmed) throw setupRequired();
    if (await this.isProven(candidate, state, code)) return;
    await this.proofs.failed(attempt, candidate, 'WRONG_SECOND_FACTOR');
    throw wrongCode();
  }

  /**
   * Of who came with a directory's password, in the transaction that signs him in: it may have made him. Whether the workspace
   * asks for one is not looked at, since setting one up takes a password of ours. The attempt is the caller's to count.
   * @throws AppError `auth.second_factor_required`, `auth.second_factor_wrong`
   */
  async checkOfDirectory(transaction: Transaction, user: UserKey, code: string | undefined): Promise<void> {
    const state = await this.factors.read(user.id, transaction);
    if (!(await this.isProven(user, state, code, transaction))) throw wrongCode();
  }

  private async isProven(
    user: UserKey,
    { sealedSecret, isConfirmed, nowMs }: SecondFactorState,
    code: string | undefined,
    transaction?: Transaction,
  ): Promise<boolean> {
    if (sealedSecret === null || !isConfirmed) return true;
    if (code === undefined) throw required();
    const secret = openText(sealedSecret, this.config.masterKeys, aadOf(user));
    const step = stepOfCode(secret, code.trim(), nowMs);
    if (step !== undefined) return this.factors.useStep(user.id, step, transaction);
    const hash = hashOfRecoveryCode(code);
    return hash !== undefined && this.factors.useRecoveryCode(user.id, hash, transaction);
  }
}

/** What the secret is bound to: it is worth nothing in another user's row. */
export function aadOf({ workspaceId, id }: UserKey): string {
  return `${workspaceId}/${id}`;
}

export function wrongCode(): AppError {
  return new AppError('auth.second_factor_wrong', 'The code is wrong, or was used before.', { path: ['secondFactor'] });
}

function required(): AppError {
  return new AppError('auth.second_factor_required', 'Sign in again with a code of your second factor.', {
    path: ['secondFactor'],
  });
}

function setupRequired(): AppError {
  return new AppError(
    'auth.second_factor_setup_required',
    'This workspace asks for a second factor. Set one up first.',
    {
      path: ['secondFactor'],
    },
  );
}
