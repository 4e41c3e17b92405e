import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { AppError } from '#libs/kernel';
import { networkOf } from '#libs/networks';
import type { AuthConfig } from '../auth.config.js';
import { SignInThrottleRepository, type Counted } from './sign-in-throttle.repository.js';

/** So many mails may anybody have us send to one address, known or not, in an hour. */
const perAddress = { max: 5, windowSeconds: 3_600 } as const;

interface Asking {
  readonly email: string;
  readonly clientAddress: string | undefined;
}

/** Limits asking for a new password, for any one mail address and from any one network address. */
@Injectable()
export class ResetThrottleService {
  constructor(
    private readonly counts: SignInThrottleRepository,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'signIn'>,
  ) {}

  /** Counts the asking. @throws AppError `auth.throttled` */
  async admit({ email, clientAddress }: Asking): Promise<void> {
    const { addressFailuresMax, windowSeconds } = this.config.signIn;
    // The network first: who is stopped by it uses up nobody's address.
    if (clientAddress !== undefined) {
      const network: Counted = { kind: 'reset_address', value: networkOf(clientAddress) };
      await this.count(network, addressFailuresMax, windowSeconds);
    }
    await this.count({ kind: 'reset', value: email }, perAddress.max, perAddress.windowSeconds);
  }

  /** Counted before it is looked at, so that of many who ask at once no more get through. */
  private async count(counted: Counted, max: number, windowSeconds: number): Promise<void> {
    const { failures, endsInSeconds } = await this.counts.add(counted, windowSeconds);
    if (failures <= max) return;
    throw new AppError('auth.throttled', 'This was asked for too often. Try again later.', {
      retryable: true,
      retryAfterSeconds: Math.ceil(endsInSeconds),
    });
  }
}
