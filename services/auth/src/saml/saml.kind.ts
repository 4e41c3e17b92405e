import { Inject, Injectable } from '@nestjs/common';
import { AppError, type Clock } from '#libs/kernel';
import { CLOCK } from '#libs/service';
import type { SsoAnswer, SsoRequest } from '../federation/sso-exchange.js';
import { SsoFlowRepository } from '../federation/sso-flow.repository.js';
import type { OpenProvider } from '../identity-provider/identity-provider.types.js';
import type { ProviderKind } from '../identity-provider/provider-kind.js';
import { identityOf } from './identity-of-assertion.js';
import { SamlFault, type SamlFaultReason } from './saml-fault.js';
import { SamlKeyService } from './saml-key.service.js';
import { samlOptions, type SamlOptions } from './saml.options.js';
import type { SamlPeer, SamlServiceProvider } from './saml.types.js';

type Provider = OpenProvider<SamlOptions>;

/** What reads and writes XML takes 30 MB: it is loaded with the first that somebody does by SAML. */
const protocol = {
  metadata: () => import('./saml-metadata.js'),
  request: () => import('./saml-request.js'),
  response: () => import('./saml-response.js'),
};

/**
 * SAML 2.0, web browser single sign-on: a signed request by redirect, the answer by POST. Each answer is to a request of
 * ours by the same browser, and is taken once; RelayState is neither sent nor read.
 */
@Injectable()
export class SamlKind implements ProviderKind<SamlOptions> {
  readonly name = 'SAML';
  readonly options = samlOptions;
  readonly secretNames = [];
  readonly destination = [];
  readonly beginningActions = new Set(['GET login', 'POST acs']);
  readonly actions = {
    'GET login': (provider: Provider, request: SsoRequest) => this.login(provider, request),
    'GET metadata': (provider: Provider) => this.metadata(provider),
    'POST acs': (provider: Provider, request: SsoRequest) => this.consume(provider, request),
  };

  constructor(
    private readonly flows: SsoFlowRepository,
    private readonly keys: SamlKeyService,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  private async login(provider: Provider, request: SsoRequest): Promise<SsoAnswer> {
    const { state, flowCookie } = await this.flows.begin(provider, request);
    const key = await this.keys.get(provider);
    const { requestUrl } = await protocol.request();
    const location = await requestUrl(`_${state}`, peerOf(provider), selfOf(provider), key);
    // The answer is a form that the provider's page sends.
    return { kind: 'redirect', location, flowCookie, isCrossSite: true };
  }

  private async metadata(provider: Provider): Promise<SsoAnswer> {
    const { metadataOf } = await protocol.metadata();
    const body = metadataOf(selfOf(provider), await this.keys.get(provider));
    return { kind: 'document', contentType: 'application/samlmetadata+xml', body };
  }

  private async consume(provider: Provider, request: SsoRequest): Promise<SsoAnswer> {
    try {
      return await this.signIn(provider, request);
    } catch (error) {
      throw error instanceof SamlFault ? refusal(error) : error;
    }
  }

  private async signIn(provider: Provider, { form, flowCookie }: SsoRequest): Promise<SsoAnswer> {
    const { parseResponse, verifyResponse } = await protocol.response();
    const parsed = parseResponse(form.get('SAMLResponse') ?? '');
    const { inResponseTo } = parsed;
    const state = inResponseTo.startsWith('_') ? inResponseTo.slice(1) : null;
    const flow = await this.flows.take(provider, state, flowCookie);
    if (!flow) {
      throw new SamlFault('in_response_to', 'this browser has no such request under way, or it was answered already');
    }
    const assertion = await verifyResponse(parsed, {
      ...{ peer: peerOf(provider), self: selfOf(provider), inResponseTo },
      nowMs: this.clock.nowMs(),
    });
    const identity = identityOf(assertion, provider.options);
    if (!(await this.flows.takeMessage(provider.id, assertion.id, new Date(assertion.endsAtMs)))) {
      throw new SamlFault('replayed', 'the assertion was used before');
    }
    return { kind: 'signIn', identity, returnTo: flow.returnTo };
  }
}

function peerOf({ options }: Provider): SamlPeer {
  const { entityId, signInUrl, certificates, clockSkewSeconds } = options;
  return { entityId, signInUrl, certificates, clockSkewSeconds };
}

function selfOf({ id, options }: Provider): SamlServiceProvider {
  const base = `${options.origin}/v1/sso/${id}`;
  return { entityId: `${base}/metadata`, consumerUrl: `${base}/acs` };
}

const codes: Partial<Record<SamlFaultReason, 'sso.provider_refused' | 'sso.state_wrong'>> = {
  status: 'sso.provider_refused',
  in_response_to: 'sso.state_wrong',
};

/** The browser learns a code; why, the log does. */
function refusal(fault: SamlFault): AppError {
  return new AppError(codes[fault.reason] ?? 'sso.answer_refused', 'The identity provider’s answer cannot be used.', {
    internalMessage: `SAML, ${fault.reason}: ${fault.message}`,
    cause: fault,
  });
}
