import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { AppError } from '#libs/kernel';
import { networkOf } from '#libs/networks';
import type { AuthConfig } from '../auth.config.js';
import { countedAccount } from './counted-account.js';
import { SignInThrottleRepository, type Counted } from './sign-in-throttle.repository.js';

export interface Attempt {
  /** The name or address, letter by letter as it was typed. */
  readonly typed: string;
  /** The slug that was typed: who has this address in another workspace is another, and clears no failures here. */
  readonly workspace: string | undefined;
  readonly clientAddress: string | undefined;
  /** The directories that are asked besides our own passwords. */
  readonly directories?: readonly string[];
}

/**
 * Limits guessing: so many failures for one account in one workspace, known or not, and so many from one network address, in
 * a window that does not grow. Checked where a password is about to be checked, so a burst gains at most the few that run at
 * once. Names that differ are one account where a directory may take them for the same, though two people may have them: so
 * failures are also counted by what was typed, and whoever signs in clears those of his own alone.
 */
@Injectable()
export class SignInThrottleService {
  constructor(
    private readonly failures: SignInThrottleRepository,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'signIn'>,
  ) {}

  /** @throws AppError `auth.throttled` */
  async admit(attempt: Attempt): Promise<void> {
    const limited = [accountOf(attempt), ...networksOf(attempt)];
    const read = await Promise.all(limited.map((counted) => this.waitSecondsOf(counted)));
    const waitSeconds = Math.max(...read);
    if (waitSeconds <= 0) return;
    throw new AppError('auth.throttled', 'Too many failed attempts. Try again later.', {
      retryable: true,
      retryAfterSeconds: Math.ceil(waitSeconds),
    });
  }

  async failed(attempt: Attempt): Promise<void> {
    const { windowSeconds } = this.config.signIn;
    const add = (counted: Counted) => this.failures.add(counted, windowSeconds);
    const [account] = await Promise.all([add(accountOf(attempt)), ...networksOf(attempt).map(add)]);
    const spelling = spellingOf(attempt);
    if (spelling) await this.failures.addWithin(spelling, account);
  }

  /** Whoever knows the password starts anew; the network address does not, or one good account would free it. */
  async succeeded(attempt: Attempt): Promise<void> {
    const spelling = spellingOf(attempt);
    const own = spelling && (await this.failures.remove(spelling));
    if (own) await this.failures.subtractWithin(accountOf(attempt), own);
  }

  /** For an attempt that was counted as failed beforehand, and has not. */
  async takeBack(attempt: Attempt): Promise<void> {
    await Promise.all(networksOf(attempt).map((counted) => this.failures.subtract(counted)));
    const [account, spelling] = [accountOf(attempt), spellingOf(attempt)];
    if (!spelling) await this.failures.subtract(account);
    // One that is gone was cleared meanwhile, in the account too: another one there is somebody else's.
    const own = spelling && (await this.failures.subtract(spelling));
    if (own) await this.failures.subtractWithin(account, own);
  }

  private async waitSecondsOf(counted: Counted): Promise<number> {
    const { failuresMax, addressFailuresMax } = this.config.signIn;
    const { failures, endsInSeconds } = await this.failures.read(counted);
    return failures >= (counted.kind === 'account' ? failuresMax : addressFailuresMax) ? endsInSeconds : 0;
  }
}

function networksOf({ clientAddress }: Attempt): Counted[] {
  return clientAddress ? [{ kind: 'address', value: networkOf(clientAddress) }] : [];
}

function accountOf({ typed, workspace }: Attempt): Counted {
  return { kind: 'account', value: `${countedAccount(typed)}\0${workspace ?? ''}` };
}

/**
 * Whom the same letters name each time, by the same one who is asked. Undefined where several directories are asked, each of
 * which may know another person by them.
 */
function spellingOf({ typed, workspace = '', directories = [] }: Attempt): Counted | undefined {
  if (directories.length > 1) return undefined;
  return { kind: 'spelling', value: JSON.stringify([typed, workspace, ...directories]) };
}
