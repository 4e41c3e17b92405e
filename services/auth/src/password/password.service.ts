import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import argon2 from 'argon2';
import { AppError } from '#libs/kernel';
import { passwordBytesMax } from '../input/password.js';
import { Slots } from './slots.js';

/** OWASP's parameters for Argon2id: 19 MiB, 2 passes, 1 lane. */
const parameters = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Half of libuv's threads, so that hashing leaves files and names their share. */
const slots = { running: 2, waiting: 200 } as const;

/**
 * Hashes and checks passwords with argon2id, on libuv's threads and never on the event loop. A check takes as long where
 * there is nobody to check: it is done against a hash that no password has.
 */
@Injectable()
export class PasswordService {
  private readonly slots = new Slots(slots.running, slots.waiting, tooMany);
  private readonly nobody: Promise<string>;

  constructor() {
    this.nobody = argon2.hash(randomBytes(32), parameters);
    // Whoever needs it finds out; a rejection that nobody awaits yet must not end the process.
    this.nobody.catch(() => undefined);
  }

  hash(password: string): Promise<string> {
    return this.slots.run(() => argon2.hash(normalize(password), parameters));
  }

  /**
   * @param known undefined where there is no such user; then it is false, after the same time
   * @param admit asked when it is this check's turn; what it throws is thrown on
   */
  verify(known: string | undefined, password: string, admit: () => Promise<void>): Promise<boolean> {
    return this.slots.run(async () => {
      await admit();
      const isTooLong = Buffer.byteLength(password) > passwordBytesMax;
      const matches = await argon2.verify(known ?? (await this.nobody), isTooLong ? '' : normalize(password));
      return matches && known !== undefined && !isTooLong;
    });
  }

  needsRehash(known: string): boolean {
    return argon2.needsRehash(known, parameters);
  }
}

// The same letters may be typed as different code points on different devices.
function normalize(password: string): string {
  return password.normalize('NFKC');
}

function tooMany(): AppError {
  return new AppError('auth.throttled', 'Too many are signing in at this moment. Try again soon.', {
    retryable: true,
    retryAfterSeconds: 2,
  });
}
