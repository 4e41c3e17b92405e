import { importJWK, type CryptoKey, type JWK } from 'jose';
import { z } from 'zod';
import { AppError, type Clock } from '#libs/kernel';
import { accessTokenForm } from './access-token.js';
import type { IdentityAuthority } from './identity-authority.client.js';

/** After this long the keys are asked for again, behind the request that noticed. */
const freshMs = 60_000;
/** After this long they are not believed any more: a key that was withdrawn must go even where auth cannot be asked. */
const ageMaxMs = 600_000;
/** Tokens can be made up with any key id, so their askings are limited; one of a key that is new waits no longer than this. */
const askEveryMs = 1_000;

const jwksSchema = z.object({ keys: z.array(z.looseObject({ kid: z.string().optional() })) });

/** The public keys that access tokens are verified with, by key id; nothing in a token says where a key is to be had. */
export class SigningKeySet {
  private keys: ReadonlyMap<string, CryptoKey> = new Map();
  private fetchedAtMs = Number.NEGATIVE_INFINITY;
  private askedAtMs = Number.NEGATIVE_INFINITY;
  private asking: Promise<void> | undefined;

  constructor(
    private readonly authority: IdentityAuthority,
    private readonly clock: Clock,
  ) {}

  /**
   * The key of this id; undefined where auth does not know it.
   * @throws AppError `bus.unavailable` where auth cannot be asked and what is known is too old
   */
  async get(kid: string): Promise<CryptoKey | undefined> {
    if (this.ageMs > ageMaxMs) await this.refreshOrFail();
    const known = this.keys.get(kid);
    if (known) {
      if (this.ageMs > freshMs && this.mayAsk) void this.refresh().catch(() => undefined);
      return known;
    }
    if (this.asking || this.mayAsk) await this.refreshOrFail();
    return this.keys.get(kid);
  }

  private get ageMs(): number {
    return this.clock.monotonicMs() - this.fetchedAtMs;
  }

  private get mayAsk(): boolean {
    return this.clock.monotonicMs() - this.askedAtMs >= askEveryMs;
  }

  private async refreshOrFail(): Promise<void> {
    try {
      await this.refresh();
    } catch (cause) {
      throw new AppError('bus.unavailable', 'Nobody can say at the moment if the credentials are good.', {
        retryable: true,
        internalMessage: 'the signing keys could not be read',
        cause,
      });
    }
  }

  private refresh(): Promise<void> {
    this.asking ??= this.fetch().finally(() => {
      this.asking = undefined;
    });
    return this.asking;
  }

  private async fetch(): Promise<void> {
    this.askedAtMs = this.clock.monotonicMs();
    const { keys } = jwksSchema.parse(JSON.parse(await this.authority.signingKeys()));
    const imported = await Promise.all(keys.map(importKey));
    this.keys = new Map(imported.filter((entry) => entry !== undefined));
    this.fetchedAtMs = this.clock.monotonicMs();
  }
}

/** Only public Ed25519 keys with an id are taken; a set of a newer release may hold others. */
async function importKey(jwk: JWK): Promise<[string, CryptoKey] | undefined> {
  const { kid, kty, crv, x } = jwk;
  if (kid === undefined || kty !== 'OKP' || crv !== 'Ed25519' || x === undefined) return undefined;
  const key = await importJWK({ kty, crv, x }, accessTokenForm.algorithm);
  return key instanceof Uint8Array ? undefined : [kid, key];
}
