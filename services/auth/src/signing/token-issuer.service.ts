import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { SignJWT } from 'jose';
import { InjectConfig } from '#libs/config';
import { accessTokenForm, toClaims, type Principal } from '#libs/identity';
import type { AuthConfig } from '../auth.config.js';

export interface IssuedToken {
  readonly accessToken: string;
  readonly expiresAt: Date;
}

/** Signs access tokens with the first of the signing keys. */
@Injectable()
export class TokenIssuerService {
  constructor(@InjectConfig() private readonly config: Pick<AuthConfig, 'signingKeys'>) {}

  /** @param principal with times of the database's clock, read after its user was locked; see UserRepository.lockForToken */
  async issue(principal: Principal): Promise<IssuedToken> {
    const [{ id, privateKey }] = this.config.signingKeys;
    const accessToken = await new SignJWT({ ...toClaims(principal) })
      .setProtectedHeader({ alg: accessTokenForm.algorithm, typ: accessTokenForm.type, kid: id })
      .setIssuer(accessTokenForm.issuer)
      .setAudience(accessTokenForm.audience)
      .setJti(randomUUID())
      .sign(privateKey);
    return { accessToken, expiresAt: principal.expiresAt };
  }
}

/** The end of a token that lives for `ttlSeconds`, or until what it stands for ends. */
export function tokenEnd(issuedAt: Date, ttlSeconds: number, notAfter?: Date | null): Date {
  const end = issuedAt.getTime() + ttlSeconds * 1_000;
  return new Date(notAfter ? Math.min(end, notAfter.getTime()) : end);
}
