import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose';
import type Provider from 'oidc-provider';
import { signInPage } from './oidc-sign-in-page.js';

export interface IssuerAccount {
  readonly sub: string;
  readonly email: string;
  readonly email_verified: boolean;
  readonly name: string;
  readonly [claim: string]: unknown;
}

export interface IssuerClient {
  readonly client_id: string;
  readonly client_secret: string;
  readonly redirect_uris: readonly string[];
  readonly post_logout_redirect_uris?: readonly string[];
  readonly backchannel_logout_uri?: string;
}

interface Options {
  readonly port?: number;
  readonly accounts: readonly IssuerAccount[];
  readonly clients: readonly IssuerClient[];
  /** Browsers may be sent to any address with such a path, beside those that clients have named. */
  readonly redirectPath?: RegExp;
  /** Of this origin alone. */
  readonly redirectOrigin?: string;
}

interface SigningKey {
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
  readonly privateJwk: JWK;
}

/** An OpenID Connect issuer: oidc-provider on loopback, which signs in whoever is chosen on its page. */
export class OidcIssuer {
  /** Has an id token changed before it is given out, as an attacker would. */
  tamper: ((claims: JWTPayload, token: string) => string | Promise<string>) | undefined;
  /** What the issuer publishes in the place of its own keys. */
  publishedKeys: readonly JWK[] | undefined;
  /** How often its keys were asked for. */
  keysAsked = 0;
  /** How often its userinfo endpoint was. */
  userinfoAsked = 0;

  private constructor(
    readonly issuer: string,
    private readonly server: Server,
    readonly key: SigningKey,
    private readonly accounts: Map<string, IssuerAccount>,
  ) {}

  static async start({ port = 0, accounts, clients, redirectPath, redirectOrigin }: Options): Promise<OidcIssuer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('it listens on no port');
    const url = `http://127.0.0.1:${address.port}`;
    const key = await newIssuerKey('issuer-1');
    const issuer = new OidcIssuer(url, server, key, new Map(accounts.map((account) => [account.sub, account])));
    // Loaded by the tests that need it alone.
    const { default: OidcProvider } = await import('oidc-provider');
    const provider = new OidcProvider(url, configurationOf(issuer, clients));
    if (redirectPath) {
      const isAllowed = (address: string): boolean =>
        redirectPath.test(new URL(address).pathname) &&
        (redirectOrigin === undefined || new URL(address).origin === redirectOrigin);
      Object.assign(provider.Client.prototype, {
        redirectUriAllowed: isAllowed,
        postLogoutRedirectUriAllowed: isAllowed,
      });
    }
    const answer = provider.callback();
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      issuer.serve(provider, answer, request, response).catch(() => response.writeHead(500).end());
    });
    return issuer;
  }

  account(sub: string): IssuerAccount | undefined {
    return this.accounts.get(sub);
  }

  setAccount(account: IssuerAccount): void {
    this.accounts.set(account.sub, account);
  }

  /** Signs what it is told to, as its own. */
  sign(claims: JWTPayload, key = this.key, header: { kid?: string; typ?: string; jku?: string } = {}): Promise<string> {
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: key.jwk.kid ?? '', ...header })
      .sign(key.privateKey);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async serve(
    provider: Provider,
    answer: (request: IncomingMessage, response: ServerResponse) => void,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    if (path === '/jwks') {
      this.keysAsked += 1;
      if (this.publishedKeys) {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ keys: this.publishedKeys }));
        return;
      }
    }
    if (path === '/me') this.userinfoAsked += 1;
    if (path.startsWith('/interaction/')) {
      await this.interact(provider, request, response);
      return;
    }
    if (path === '/token' && this.tamper) changeIdToken(response, this.tamper);
    answer(request, response);
  }

  private async interact(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST') {
      await provider.interactionDetails(request, response);
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
      response.end(signInPage([...this.accounts.values()]));
      return;
    }
    let form = '';
    for await (const chunk of request as AsyncIterable<Buffer>) form += chunk.toString();
    const accountId = new URLSearchParams(form).get('account') ?? '';
    const result = this.accounts.has(accountId) ? { login: { accountId } } : { error: 'access_denied' };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }
}

export async function newIssuerKey(kid: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const named = { kid, alg: 'RS256', use: 'sig' };
  const [jwk, privateJwk] = [await exportJWK(publicKey), await exportJWK(privateKey)];
  return { privateKey, jwk: { ...jwk, ...named }, privateJwk: { ...privateJwk, ...named } };
}

function configurationOf(issuer: OidcIssuer, clients: readonly IssuerClient[]): object {
  return {
    clients: clients.map((client) => ({ backchannel_logout_session_required: true, ...client })),
    clientAuthMethods: ['client_secret_post'],
    clientDefaults: { token_endpoint_auth_method: 'client_secret_post' },
    jwks: { keys: [issuer.key.privateJwk] },
    claims: {
      openid: ['sub', 'sid'],
      email: ['email', 'email_verified'],
      profile: ['name'],
      groups: ['groups', 'department', 'roles'],
    },
    // Claims in the id token, beside those of userinfo, as most providers give them.
    conformIdTokenClaims: false,
    cookies: { keys: [randomBytes(16).toString('hex')] },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    findAccount: (_context: unknown, sub: string) => {
      const account = issuer.account(sub);
      return account && { accountId: sub, claims: () => account };
    },
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    // Whoever signs in agrees to all.
    loadExistingGrant: async (context: GrantContext) => {
      const { client, session, provider, params } = context.oidc;
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope(params.scope);
      await grant.save();
      return grant;
    },
    pkce: { required: () => true },
    ttl: { AccessToken: 300, AuthorizationCode: 60, IdToken: 300, Interaction: 600, Session: 3_600, Grant: 3_600 },
  };
}

interface GrantContext {
  readonly oidc: {
    readonly client: { readonly clientId: string };
    readonly session: { readonly accountId: string };
    readonly params: { readonly scope: string };
    readonly provider: Provider;
  };
}

/** Has the answer of the token endpoint wait until its id token is another. */
function changeIdToken(response: ServerResponse, tamper: NonNullable<OidcIssuer['tamper']>): void {
  const end = response.end.bind(response);
  const change = async (body: string): Promise<void> => {
    const answer = JSON.parse(body) as { id_token?: string };
    if (answer.id_token !== undefined) {
      const payload = Buffer.from(answer.id_token.split('.')[1] ?? '', 'base64url').toString();
      answer.id_token = await tamper(JSON.parse(payload) as JWTPayload, answer.id_token);
    }
    const text = JSON.stringify(answer);
    response.setHeader('content-length', Buffer.byteLength(text));
    end(text);
  };
  // Koa ends its answers with one text.
  response.end = ((body: string | Buffer) => {
    change(String(body)).catch(() => response.destroy());
    return response;
  }) as typeof response.end;
}
