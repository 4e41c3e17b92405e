import { Injectable } from '@nestjs/common';
import type { federationRequests, RequestOf, ResponseOf } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { IdentityProviderService } from '../identity-provider/identity-provider.service.js';
import { SessionOpenerService } from '../session/session-opener.service.js';
import { SignInFailures } from '../session/sign-in-failures.service.js';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import { FederatedSignInService } from './federated-sign-in.service.js';
import type { SsoAnswer, SsoRequest } from './sso-exchange.js';
import type { OpenProvider } from '../identity-provider/identity-provider.types.js';
import type { OpenedProvider } from '../identity-provider/opened-providers.js';
import { ProviderOutdated } from '../identity-provider/provider-outdated.js';

type SignOut = Extract<SsoAnswer, { kind: 'signOut' }>;
type Input = RequestOf<typeof federationRequests.answerSso>;
type Output = ResponseOf<typeof federationRequests.answerSso>;

const nothing: Output = { answer: { case: 'done', value: {} }, flowIsCrossSite: false };

/** Where somebody wants to be signed in, or comes back to be. */
const signInActions: ReadonlySet<string> = new Set(['GET login', 'GET callback', 'POST acs']);

/** What comes by HTTP at /v1/sso: asks the provider's kind, and does what it answers. */
@Injectable()
export class SsoService {
  constructor(
    private readonly providers: IdentityProviderService,
    private readonly signIns: FederatedSignInService,
    private readonly opener: SessionOpenerService,
    private readonly failures: SignInFailures,
    private readonly transactions: TransactionRepository,
  ) {}

  /** @throws AppError of the area sso, with the whole reason for the log */
  async answer(input: Input): Promise<Output> {
    const key = `${input.method} ${input.action}`;
    const request = toRequest(input);
    const last = this.providers.lastOpened(input.providerId);
    try {
      if (last?.kind.beginningActions.has(key)) return await this.act(last, key, request);
    } catch (error) {
      if (!(error instanceof ProviderOutdated)) throw error;
    }
    const opened = await this.providers.open(input.providerId).catch((error: unknown) => {
      // Where the provider is disabled or gone the session here ends all the same.
      if (key === 'POST logout' && request.isFromOwnPage && isNotFound(error)) return undefined;
      throw error;
    });
    return opened ? this.act(opened, key, request) : this.signOut(request, { location: request.returnTo });
  }

  private async act({ kind, provider }: OpenedProvider, key: string, request: SsoRequest): Promise<Output> {
    const action = Object.hasOwn(kind.actions, key) ? kind.actions[key] : undefined;
    if (!action)
      throw new AppError('sso.request_invalid', 'There is nothing at this address.', { internalMessage: key });
    try {
      return await this.perform(provider, request, await action(provider, request));
    } catch (error) {
      if (signInActions.has(key) && !(error instanceof ProviderOutdated)) this.failures.noteAtProvider(provider, error);
      throw error;
    }
  }

  private async perform(provider: OpenProvider, request: SsoRequest, answer: SsoAnswer): Promise<Output> {
    switch (answer.kind) {
      case 'redirect': {
        const { location, flowCookie, isCrossSite = false } = answer;
        return {
          ...redirect(location),
          flowIsCrossSite: isCrossSite,
          ...(flowCookie === undefined ? {} : { flowCookie }),
        };
      }
      case 'document':
        return {
          ...nothing,
          answer: { case: 'document', value: { contentType: answer.contentType, body: answer.body } },
        };
      case 'signIn': {
        const { identity, returnTo, providerSession } = answer;
        const { sessionCookie } = request;
        const { cookie, session } = await this.signIns.signInBrowser(provider, identity, {
          providerSession,
          sessionCookie,
        });
        return { ...redirect(returnTo), sessionCookie: cookie, sessionExpiresAt: session.expiresAt };
      }
      case 'signOut':
        return this.signOut(request, answer);
      case 'done':
        return nothing;
    }
  }

  private async signOut(
    { sessionCookie }: SsoRequest,
    { location, flowCookie }: Omit<SignOut, 'kind'>,
  ): Promise<Output> {
    if (sessionCookie !== undefined) {
      await this.transactions.run((transaction) => this.opener.endByCookie(transaction, sessionCookie, 'SIGN_OUT'));
    }
    return { ...redirect(location), sessionCookie: '', ...(flowCookie === undefined ? {} : { flowCookie }) };
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof AppError && error.code === 'identity_provider.not_found';
}

function redirect(location: string): Output {
  return { ...nothing, answer: { case: 'redirect', value: { location } } };
}

function toRequest(input: Input): SsoRequest {
  const { action, method, origin, returnTo, flowCookie, sessionCookie, clientAddress, peerAddress } = input;
  return {
    ...{ action, method, origin, returnTo, flowCookie, sessionCookie, clientAddress, peerAddress },
    query: new URLSearchParams(input.query),
    form: new URLSearchParams(input.body),
    isFromOwnPage: input.fromOwnPage,
    headers: input.headers,
  };
}
