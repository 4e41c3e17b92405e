import { hash } from 'node:crypto';
import { errors, jwtVerify, type CryptoKey, type JWTHeaderParameters } from 'jose';
import { LRUCache } from 'lru-cache';
import { AppError, type Clock } from '#libs/kernel';
import { accessTokenForm, toPrincipal } from './access-token.js';
import type { Principal } from './principal.js';
import type { RevocationView } from './revocation-view.js';
import type { SigningKeySet } from './signing-key-set.js';

interface Proven {
  readonly principal: Principal;
  /** From then on the signature is checked again, by the keys of that time. */
  readonly staleAtMs: number;
}

const tokensMax = 20_000;
const ageMaxMs = 60_000;
/** For the time that a request is under way, and for the error of the measured offset. */
const toleranceSeconds = 5;

/**
 * Proves access tokens where they arrive. A signature is checked once for each token and minute; its time and its
 * revocation are checked at each use. Tokens are remembered as hashes only.
 */
export class TokenVerifier {
  private readonly proven = new LRUCache<string, Proven>({ max: tokensMax });

  constructor(
    private readonly keys: SigningKeySet,
    private readonly revocations: RevocationView,
    private readonly clock: Clock,
  ) {}

  /**
   * @throws AppError `auth.unauthenticated`, `auth.token_expired`, `auth.token_revoked`; `bus.unavailable` where auth could
   * not be asked for too long to say
   */
  async verify(token: string): Promise<Principal> {
    if (token.length > accessTokenForm.bytesMax) throw notGood('it is too long');
    await this.revocations.ensureFresh();
    const key = hash('sha256', token, 'base64');
    const { principal } = this.remembered(key) ?? (await this.prove(token, key));
    if (principal.expiresAt.getTime() + toleranceSeconds * 1_000 <= this.revocations.nowMs) throw expired();
    if (this.revocations.isRevoked(principal)) {
      throw new AppError(
        'auth.token_revoked',
        'The access token is no longer good. Get a new one: sign in, refresh it, or mint it again.',
      );
    }
    return principal;
  }

  /**
   * Whether somebody who was let in must go, also behind the end of the token.
   * @throws AppError `bus.unavailable` where auth could not be asked for too long to say
   */
  async isRevoked(principal: Principal): Promise<boolean> {
    await this.revocations.ensureFresh();
    return this.revocations.isRevoked(principal);
  }

  private remembered(key: string): Proven | undefined {
    const proven = this.proven.get(key);
    return proven && this.clock.monotonicMs() < proven.staleAtMs ? proven : undefined;
  }

  private async prove(token: string, key: string): Promise<Proven> {
    const principal = toPrincipal(await this.verifiedPayload(token));
    if (!principal) throw notGood('its claims are not ours');
    const proven = { principal, staleAtMs: this.clock.monotonicMs() + ageMaxMs };
    this.proven.set(key, proven);
    return proven;
  }

  private async verifiedPayload(token: string): Promise<unknown> {
    try {
      const { payload } = await jwtVerify(token, (header) => this.keyOf(header), {
        algorithms: [accessTokenForm.algorithm],
        typ: accessTokenForm.type,
        issuer: accessTokenForm.issuer,
        audience: accessTokenForm.audience,
        requiredClaims: ['sub', 'iat', 'exp'],
        clockTolerance: toleranceSeconds,
        currentDate: new Date(this.revocations.nowMs),
      });
      return payload;
    } catch (error) {
      if (error instanceof AppError) throw error;
      if (error instanceof errors.JWTExpired) throw expired();
      throw notGood(error instanceof Error ? error.message : String(error), error);
    }
  }

  // The id alone finds the key: jku, x5u, jwk and x5c of the header are the sender's word and are not read.
  private async keyOf({ kid }: JWTHeaderParameters): Promise<CryptoKey> {
    const key = kid === undefined ? undefined : await this.keys.get(kid);
    if (!key) throw notGood('its key is not known');
    return key;
  }
}

function notGood(why: string, cause?: unknown): AppError {
  return new AppError('auth.unauthenticated', 'The access token is not good. Sign in again, or refresh the session.', {
    internalMessage: `an access token was refused: ${why}`,
    cause,
  });
}

function expired(): AppError {
  return new AppError('auth.token_expired', 'The access token has expired. Refresh the session.');
}
