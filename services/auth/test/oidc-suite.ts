import { decodeJwt } from 'jose';
import type { MessageContext } from '#libs/bus';
import { authRequests, federationRequests, identityProviderRequests, type User } from '#libs/contracts';
import { OidcIssuer, startPostgres, type IssuerAccount, type PostgresServer } from '#libs/testing';
import { AuthHarness } from './auth-harness.js';
import { gatewayOrigin, SsoBrowser } from './sso-browser.js';

const client = { client_id: 'sluice', client_secret: 'a-secret-of-the-client-of-tests' };

type Create = Parameters<typeof identityProviderRequests.createIdentityProvider.request.encode>[0];

/** auth with a provider of OpenID Connect, at whose issuer each test has an account of its own. */
export class OidcSuite {
  providerId = '';
  account = newAccount(0);
  private serial = 0;

  private constructor(
    private readonly server: PostgresServer,
    readonly auth: AuthHarness,
    readonly issuer: OidcIssuer,
    public admin: MessageContext,
  ) {}

  static async start(): Promise<OidcSuite> {
    const server = await startPostgres();
    const auth = await AuthHarness.start(await server.createDatabase(), {
      SLUICE_AUTH_PROVIDER_ALLOWED_NETWORKS: '127.0.0.0/8',
    });
    // The issuer knows its clients by where they come back to; ids of providers are known once they are made.
    const issuer = await OidcIssuer.start({
      accounts: [],
      clients: [{ ...client, redirect_uris: [`${gatewayOrigin}/any`] }],
      redirectPath: /^\/v1\/sso\/[^/]+\/(callback|signed-out)$/,
    });
    const suite = new OidcSuite(server, auth, issuer, await auth.admin());
    suite.providerId = await suite.createProvider();
    return suite;
  }

  async stop(): Promise<void> {
    await this.issuer.stop();
    await this.auth.stop();
    await this.server.stop();
  }

  /** Somebody new, at an issuer that tampers with nothing. */
  begin(): void {
    this.serial += 1;
    this.account = newAccount(this.serial);
    this.issuer.setAccount(this.account);
    this.issuer.tamper = undefined;
    this.issuer.publishedKeys = undefined;
  }

  async createProvider(change: Partial<Create> = {}, options: object = {}): Promise<string> {
    const name = `Provider ${(this.serial += 1)}`;
    const input = {
      ...{ name, kind: 'OIDC' as const, enabled: true, emailDomains: ['example.com'] },
      options: {
        ...{ issuer: this.issuer.issuer, clientId: client.client_id, clientSecret: client.client_secret },
        ...{ scopes: ['openid', 'email', 'profile', 'groups'], ...options },
      },
      rules: {
        groups: { claim: 'groups', map: [{ value: 'eng', groups: ['engineering'] }] },
        attributes: [{ claim: 'department', attribute: 'department' }],
        roles: { default: ['viewer'], map: [{ claim: 'groups', value: 'bosses', roles: ['editor'] }] },
      },
      ...change,
    };
    const answer = await this.auth.ask(identityProviderRequests.createIdentityProvider, input, this.admin);
    if (!answer.identityProvider) throw new Error('no provider came back');
    return answer.identityProvider.id;
  }

  browser(providerId = this.providerId): SsoBrowser {
    return new SsoBrowser(this.auth, providerId);
  }

  async refusal(work: Promise<unknown>): Promise<string> {
    return (await this.auth.refusal(work)).code;
  }

  async userOf({ sessionCookie: cookie = '' }: SsoBrowser): Promise<User> {
    const { accessToken } = await this.auth.ask(federationRequests.exchangeSessionCookie, { cookie });
    const id = decodeJwt(accessToken).sub ?? '';
    const { users } = await this.auth.ask(authRequests.getUsers, { ids: [id] }, this.admin);
    if (!users[0]) throw new Error('there is no such user');
    return users[0];
  }

  /** What a failed sign-in may have left. */
  async counts(): Promise<unknown> {
    const [row] = await this.auth.database.query<unknown[]>(
      `select (select count(*) from auth.user_account) as users, (select count(*) from auth.session) as sessions,
         (select count(*) from auth.external_identity) as identities, (select count(*) from auth.session_cookie) as cookies`,
    );
    return row;
  }
}

function newAccount(serial: number): IssuerAccount {
  return {
    ...{ sub: `sub-${serial}`, email: `person-${serial}@example.com`, email_verified: true, name: `Person ${serial}` },
    ...{ groups: ['eng'], department: 'west' },
  };
}
