import { Injectable } from '@nestjs/common';
import { AuditRepository } from '#libs/database';
import { AppLogger } from '#libs/telemetry';
import { FederatedSessionRepository } from '../federation/federated-session.repository.js';
import { SsoFlowRepository } from '../federation/sso-flow.repository.js';
import type { SsoAnswer, SsoRequest } from '../federation/sso-exchange.js';
import type { OpenProvider } from '../identity-provider/identity-provider.types.js';
import { RevocationRepository } from '../revocation/revocation.repository.js';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import { OidcClient } from './oidc.client.js';
import type { OidcOptions } from './oidc.options.js';

const logoutEvent = 'http://schemas.openid.net/event/backchannel-logout';
/** Longer than a logout token is taken for, with every skew of clocks. */
const seenMs = 3_600_000;

/** OpenID Connect Back-Channel Logout 1.0: the provider ends sessions here when its own end. */
@Injectable()
export class BackChannelLogoutService {
  constructor(
    private readonly client: OidcClient,
    private readonly flows: SsoFlowRepository,
    private readonly sessions: FederatedSessionRepository,
    private readonly revocations: RevocationRepository,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly logger: AppLogger,
  ) {}

  async end(provider: OpenProvider<OidcOptions>, { form }: SsoRequest): Promise<SsoAnswer> {
    const claims = await this.client.verifyLogoutToken(provider, form.get('logout_token') ?? '');
    const { sub: subject, sid, jti = '', events, nonce } = claims;
    const providerSession = typeof sid === 'string' ? sid : undefined;
    if (!isObject(events) || !isObject(events[logoutEvent])) throw new Error('it is no logout token: no such event');
    // With a nonce it is an id token that somebody sends as something else.
    if (nonce !== undefined) throw new Error('it is no logout token: it has a nonce');
    if (subject === undefined && providerSession === undefined) throw new Error('it names neither subject nor session');
    const ended = await this.transactions.run(async (transaction) => {
      // Together, so that a logout which failed half-way can be sent again.
      if (!(await this.flows.takeMessage(provider.id, jti, new Date(Date.now() + seenMs), transaction))) {
        throw new Error('this logout token has come before');
      }
      const ids = await this.sessions.end(transaction, provider, { subject, providerSession });
      for (const id of ids) {
        const target = { type: 'session', id };
        const { workspaceId } = provider;
        const after = { by: provider.kind, providerId: provider.id };
        await this.audit.add(transaction, { action: 'session.ended_by_provider', target, workspaceId, after });
      }
      await this.revocations.add(transaction, 'SESSION', ids);
      return ids;
    });
    this.logger.info({ providerId: provider.id, sessions: ended.length }, 'a provider has ended sessions');
    return { kind: 'done' };
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
