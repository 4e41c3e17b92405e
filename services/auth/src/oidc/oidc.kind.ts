import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import * as oidc from 'openid-client';
import { AppError, type JsonObject } from '#libs/kernel';
import { lacksClaims } from '../federation/apply-rules.js';
import type { ExternalIdentity } from '../federation/external-identity.js';
import { secretOf, SsoFlowRepository, type TakenFlow } from '../federation/sso-flow.repository.js';
import type { SsoAnswer, SsoRequest } from '../federation/sso-exchange.js';
import type { OpenProvider } from '../identity-provider/identity-provider.types.js';
import type { ProviderKind } from '../identity-provider/provider-kind.js';
import { BackChannelLogoutService } from './back-channel-logout.service.js';
import { OidcClient } from './oidc.client.js';
import { oidcFailure } from './oidc-failures.js';
import { oidcOptions, type OidcOptions } from './oidc.options.js';

type Provider = OpenProvider<OidcOptions>;
type Action = (provider: Provider, request: SsoRequest) => Promise<SsoAnswer>;

/** OpenID Connect: the authorization code flow with PKCE, state and nonce, and the ends of sessions. */
@Injectable()
export class OidcKind implements ProviderKind<OidcOptions> {
  readonly name = 'OIDC';
  readonly options = oidcOptions;
  readonly secretNames = ['clientSecret'];
  readonly destination = ['issuer'];
  readonly beginningActions = new Set(['GET login', 'GET callback']);
  readonly actions: Readonly<Record<string, Action>> = {
    'GET login': explained((provider, request) => this.begin(provider, request)),
    'GET callback': explained((provider, request) => this.finish(provider, request)),
    'POST logout': explained((provider, request) => this.signOut(provider, request)),
    'GET signed-out': explained((provider, request) => this.signedOut(provider, request)),
    'POST backchannel-logout': explained((provider, request) => this.backChannel.end(provider, request)),
  };

  constructor(
    private readonly client: OidcClient,
    private readonly flows: SsoFlowRepository,
    private readonly backChannel: BackChannelLogoutService,
  ) {}

  private async begin(provider: Provider, request: SsoRequest): Promise<SsoAnswer> {
    const flow = await this.flows.begin(provider, request);
    const configuration = await this.client.configurationOf(provider);
    const location = oidc.buildAuthorizationUrl(configuration, {
      redirect_uri: addressOf(provider, request.origin, 'callback'),
      scope: provider.options.scopes.join(' '),
      state: flow.state,
      nonce: secretOf(flow, 'nonce'),
      code_challenge: createHash('sha256').update(secretOf(flow, 'verifier')).digest('base64url'),
      code_challenge_method: 'S256',
    });
    return { kind: 'redirect', location: location.href, flowCookie: flow.flowCookie };
  }

  /** The state is taken first, so that nothing is tried twice, and nothing is asked of a provider for a stranger. */
  private async finish(provider: Provider, request: SsoRequest): Promise<SsoAnswer> {
    const state = request.query.get('state');
    const flow = await this.flows.take(provider, state, request.flowCookie);
    if (state === null || !flow) throw wrongState();
    const { identity, providerSession } = await this.identify(provider, request, flow, state);
    return { kind: 'signIn', identity, returnTo: flow.returnTo, providerSession };
  }

  private async identify(
    provider: Provider,
    { query }: SsoRequest,
    { flowCookie, origin }: TakenFlow,
    state: string,
  ): Promise<{ identity: ExternalIdentity; providerSession: string | undefined }> {
    const { options } = provider;
    const configuration = await this.client.configurationOf(provider);
    const address = new URL(addressOf(provider, origin, 'callback'));
    address.search = query.toString();
    const tokens = await oidc.authorizationCodeGrant(configuration, address, {
      expectedState: state,
      expectedNonce: secretOf({ state, flowCookie }, 'nonce'),
      pkceCodeVerifier: secretOf({ state, flowCookie }, 'verifier'),
      idTokenExpected: true,
    });
    const claims = tokens.claims();
    if (!claims) throw new Error('the provider gave no id token');
    // The library looks at it only where there are several audiences.
    if (claims.azp !== undefined && claims.azp !== options.clientId)
      throw new Error('the id token is another client’s');
    const asksMore =
      options.userinfo &&
      lacksSome(provider, plain(claims)) &&
      configuration.serverMetadata().userinfo_endpoint !== undefined;
    const more = asksMore ? await oidc.fetchUserInfo(configuration, tokens.access_token, claims.sub) : {};
    // What is signed comes before what is only sent.
    const all = plain({ ...more, ...claims });
    return {
      identity: {
        subject: claims.sub,
        email: textOf(all['email']),
        emailVerified: options.trustEmail || all['email_verified'] === true,
        name: textOf(all['name']),
        claims: all,
      },
      providerSession: textOf(all['sid']),
    };
  }

  private async signOut(provider: Provider, request: SsoRequest): Promise<SsoAnswer> {
    if (!request.isFromOwnPage) throw new AppError('sso.request_invalid', 'Sign out from a page of ours.');
    // Where the provider is away the session here ends all the same.
    const configuration = await this.client.configurationOf(provider).catch(() => undefined);
    if (configuration?.serverMetadata().end_session_endpoint === undefined) {
      return { kind: 'signOut', location: request.returnTo };
    }
    const flow = await this.flows.begin(provider, request);
    const location = oidc.buildEndSessionUrl(configuration, {
      post_logout_redirect_uri: addressOf(provider, request.origin, 'signed-out'),
      state: flow.state,
    });
    return { kind: 'signOut', location: location.href, flowCookie: flow.flowCookie };
  }

  private async signedOut(provider: Provider, { query, flowCookie }: SsoRequest): Promise<SsoAnswer> {
    const flow = await this.flows.take(provider, query.get('state'), flowCookie);
    return { kind: 'redirect', location: flow?.returnTo ?? '/v1/sso/done' };
  }
}

function addressOf({ id }: Provider, origin: string, action: string): string {
  return `${origin}/v1/sso/${id}/${action}`;
}

function explained(action: Action): Action {
  return async (provider, request) => {
    try {
      return await action(provider, request);
    } catch (error) {
      throw oidcFailure(error);
    }
  };
}

/** What the id token tells needs no second question: it would come before the other answer anyway. */
function lacksSome({ rules, options }: Provider, claims: JsonObject): boolean {
  const own = ['email', 'name', ...(options.trustEmail ? [] : ['email_verified'])];
  return own.some((name) => claims[name] === undefined) || lacksClaims(rules, claims);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Claims came as JSON; what the libraries add is not enumerable or no JSON. */
function plain(claims: object): JsonObject {
  return JSON.parse(JSON.stringify(claims)) as JsonObject;
}

function wrongState(): AppError {
  return new AppError('sso.state_wrong', 'This sign-in was not begun in this browser, or has taken too long.', {
    internalMessage: 'no sign-in is under way with this state, browser and provider',
  });
}
