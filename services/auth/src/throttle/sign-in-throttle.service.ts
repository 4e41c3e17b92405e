import { isIPv6 } from 'node:net';
import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { AppError } from '#libs/kernel';
import type { AuthConfig } from '../auth.config.js';
import { SignInThrottleRepository, type Counted } from './sign-in-throttle.repository.js';

export interface Attempt {
  readonly email: string;
  /** The slug that was typed: who has this address in another workspace is another, and clears no failures here. */
  readonly workspace: string | undefined;
  readonly clientAddress: string | undefined;
}

/**
 * Limits guessing: so many failures for one email address in one workspace, known or not, and so many from one network
 * address, in a window that does not grow. Checked where a password is about to be checked, so a burst gains at most the few that run at once.
 */
@Injectable()
export class SignInThrottleService {
  constructor(
    private readonly failures: SignInThrottleRepository,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'signIn'>,
  ) {}

  /** @throws AppError `auth.throttled` */
  async admit(attempt: Attempt): Promise<void> {
    const read = await Promise.all(countedOf(attempt).map((counted) => this.waitSecondsOf(counted)));
    const waitSeconds = Math.max(...read);
    if (waitSeconds <= 0) return;
    throw new AppError('auth.throttled', 'Too many failed attempts. Try again later.', {
      retryable: true,
      retryAfterSeconds: Math.ceil(waitSeconds),
    });
  }

  async failed(attempt: Attempt): Promise<void> {
    const { windowSeconds } = this.config.signIn;
    await Promise.all(countedOf(attempt).map((counted) => this.failures.add(counted, windowSeconds)));
  }

  /** Whoever knows the password starts anew; the network address does not, or one good account would free it. */
  async succeeded(attempt: Attempt): Promise<void> {
    await this.failures.clear(accountOf(attempt));
  }

  /** For an attempt that was counted as failed beforehand, and has not. */
  async takeBack(attempt: Attempt): Promise<void> {
    await Promise.all(countedOf(attempt).map((counted) => this.failures.subtract(counted)));
  }

  private async waitSecondsOf(counted: Counted): Promise<number> {
    const { failuresMax, addressFailuresMax } = this.config.signIn;
    const { failures, endsInSeconds } = await this.failures.read(counted);
    return failures >= (counted.kind === 'account' ? failuresMax : addressFailuresMax) ? endsInSeconds : 0;
  }
}

function countedOf(attempt: Attempt): Counted[] {
  const { clientAddress } = attempt;
  const account = accountOf(attempt);
  return clientAddress ? [account, { kind: 'address', value: networkOf(clientAddress) }] : [account];
}

function accountOf({ email, workspace }: Attempt): Counted {
  return { kind: 'account', value: `${email}\0${workspace ?? ''}` };
}

/** One customer has one IPv4 address, but a whole /64 of IPv6. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const groups = head.split(':').filter((group) => group !== '');
  const missing = tail === undefined ? 0 : 8 - groups.length - tail.split(':').filter((group) => group !== '').length;
  const all = [...groups, ...Array.from({ length: Math.max(missing, 0) }, () => '0'), ...(tail?.split(':') ?? [])];
  return all
    .slice(0, 4)
    .map((group) => Number.parseInt(group || '0', 16).toString(16))
    .join(':');
}
