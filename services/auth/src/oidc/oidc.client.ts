import { Injectable } from '@nestjs/common';
import { createRemoteJWKSet, customFetch as joseFetch, jwtVerify, type JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import * as oidc from 'openid-client';
import { InjectConfig } from '#libs/config';
import { guardedFetch, NetworkGuard, type GuardedFetch } from '#libs/outbound';
import type { AuthConfig } from '../auth.config.js';
import type { OpenProvider } from '../identity-provider/identity-provider.types.js';
import type { OidcOptions } from './oidc.options.js';

type Provider = OpenProvider<OidcOptions>;
type Keys = ReturnType<typeof createRemoteJWKSet>;

interface Known {
  readonly configuration: oidc.Configuration;
  readonly keys: Keys;
}

const answerBytesMax = 1024 * 1024;
const providersMax = 500;
/** What a provider says of itself is asked for anew this often. */
const knownMs = 600_000;
/** Unknown keys have the provider asked again no more often than this, whoever sends tokens that name them. */
const keysCooldownMs = 30_000;
/** A provider that names another key than one of a pair could be made to take its public key for a secret. */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** The other side of OpenID Connect, and what it says of itself. */
@Injectable()
export class OidcClient {
  private readonly fetch: GuardedFetch;
  private readonly timeoutMs: number;
  private readonly known = new LRUCache<string, Known, Provider>({
    max: providersMax,
    ttl: knownMs,
    fetchMethod: (_key, _older, { context }) => this.discover(context),
  });

  constructor(@InjectConfig() { providers }: Pick<AuthConfig, 'providers'>) {
    this.timeoutMs = providers.timeoutMs;
    const guard = new NetworkGuard(providers.allowedNetworks);
    this.fetch = guardedFetch({ guard, timeoutMs: providers.timeoutMs, bytesMax: answerBytesMax });
  }

  /** Asked for once by all who want it at the same time; a failure is not remembered. */
  async configurationOf(provider: Provider): Promise<oidc.Configuration> {
    return (await this.get(provider)).configuration;
  }

  /** The claims of a logout token. @throws where it is not this provider's, for us, now */
  async verifyLogoutToken(provider: Provider, token: string): Promise<JWTPayload> {
    const { configuration, keys } = await this.get(provider);
    const { clientId, clockSkewSeconds } = provider.options;
    const { payload } = await jwtVerify(token, keys, {
      issuer: configuration.serverMetadata().issuer,
      audience: clientId,
      algorithms,
      clockTolerance: clockSkewSeconds,
      maxTokenAge: 300,
      requiredClaims: ['iat', 'jti', 'events'],
    });
    return payload;
  }

  private get(provider: Provider): Promise<Known> {
    return this.known.forceFetch(`${provider.id} ${provider.rowState}`, { context: provider });
  }

  private async discover({ options }: Provider): Promise<Known> {
    const { issuer, clientId, clientSecret, clockSkewSeconds } = options;
    const authentication = clientSecret === undefined ? oidc.None() : oidc.ClientSecretPost(clientSecret);
    const metadata = { [oidc.clockTolerance]: clockSkewSeconds };
    const configuration = await oidc.discovery(new URL(issuer), clientId, metadata, authentication, {
      [oidc.customFetch]: this.fetch,
      timeout: this.timeoutMs / 1_000,
      execute: [
        // An answer over TLS would do by the standard; a signature holds wherever TLS ends.
        oidc.enableNonRepudiationChecks,
        // The guard lets plain HTTP reach only the networks that the operator has named.
        ...(issuer.startsWith('http:') ? [oidc.allowInsecureRequests] : []),
      ],
    });
    // The fetch has its own.
    configuration.timeout = undefined;
    const { jwks_uri: keysUri } = configuration.serverMetadata();
    if (keysUri === undefined) throw new Error('the provider names no keys');
    const keys = createRemoteJWKSet(new URL(keysUri), {
      [joseFetch]: this.fetch,
      timeoutDuration: this.timeoutMs,
      cooldownDuration: keysCooldownMs,
    });
    return { configuration, keys };
  }
}
