import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { SignJWT } from 'jose';
import { InjectConfig } from '#libs/config';
import { accessTokenForm, toClaims, type Principal } from '#libs/identity';
import { AppError } from '#libs/kernel';
import type { AuthConfig } from '../auth.config.js';

export interface IssuedToken {
  readonly accessToken: string;
  readonly expiresAt: Date;
}

/** Signs access tokens with the first of the signing keys. */
@Injectable()
export class TokenIssuerService {
  constructor(@InjectConfig() private readonly config: Pick<AuthConfig, 'signingKeys'>) {}

  /**
   * @param principal with times of the database's clock, read after its user was locked; see UserRepository.lockForToken
   * @throws AppError `input.too_large`
   */
  async issue(principal: Principal): Promise<IssuedToken> {
    const [{ id, privateKey }] = this.config.signingKeys;
    const accessToken = await new SignJWT({ ...toClaims(principal) })
      .setProtectedHeader({ alg: accessTokenForm.algorithm, typ: accessTokenForm.type, kid: id })
      .setIssuer(accessTokenForm.issuer)
      .setAudience(accessTokenForm.audience)
      .setJti(randomUUID())
      .sign(privateKey);
    // Who has it would be told to sign in again, and again.
    if (accessToken.length > accessTokenForm.bytesMax) throw tooLong();
    return { accessToken, expiresAt: principal.expiresAt };
  }
}

function tooLong(): AppError {
  return new AppError(
    'input.too_large',
    `Names of groups, ids, parameters and attributes make a token of more than ${accessTokenForm.bytesMax} bytes. Give fewer.`,
  );
}

/** The end of a token that lives for `ttlSeconds`, or until what it stands for ends. */
export function tokenEnd(issuedAt: Date, ttlSeconds: number, notAfter?: Date | null): Date {
  const end = issuedAt.getTime() + ttlSeconds * 1_000;
  return new Date(notAfter ? Math.min(end, notAfter.getTime()) : end);
}
