import { createHmac, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { queryPrepared } from '#libs/database';
import { secretHash } from '#libs/encryption';
import { ProviderOutdated } from '../identity-provider/provider-outdated.js';
import type { OpenProvider } from '../identity-provider/identity-provider.types.js';
import type { Transaction } from '../transaction/transaction.repository.js';

/** How long somebody may take at the provider. */
const flowSeconds = 600;
const cookieForm = /^[A-Za-z0-9_-]{43}$/;
const stateForm = /^[A-Za-z0-9_-]{43}$/;

export interface BegunFlow {
  /** Goes to the provider and comes back. */
  readonly state: string;
  /** Stays in the browser. One browser has one for all its sign-ins, so that several pages can sign in at once. */
  readonly flowCookie: string;
}

export interface TakenFlow {
  readonly flowCookie: string;
  readonly origin: string;
  readonly returnTo: string;
  /** What the kind has put there. */
  readonly data: Readonly<Record<string, string>>;
}

type ProviderState = Pick<OpenProvider, 'id' | 'rowState'>;
type TakenRow = Omit<TakenFlow, 'flowCookie' | 'origin'> & {
  /** Null where there is no such flow. */
  readonly origin: string | null;
  readonly isCurrent: boolean;
};

/** Of $2 in the state $3: what is kept of a provider is used only while that is what it is. */
const isAsOpened = `id = $2 and enabled and xmin = $3::text::xid`;

/**
 * Sign-ins under way, which a crash of PostgreSQL ends: whoever was about to sign in begins again. Of what the browser and the provider hold there are only hashes, so who reads the database can end no
 * sign-in; what a kind needs besides is derived from the browser's cookie and is kept nowhere.
 */
@Injectable()
export class SsoFlowRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /**
   * @param data what the kind wants to have again
   * @throws ProviderOutdated
   */
  async begin(
    provider: ProviderState,
    request: { readonly flowCookie: string | undefined; readonly origin: string; readonly returnTo: string },
    data: (flow: BegunFlow) => Readonly<Record<string, string>> = () => ({}),
  ): Promise<BegunFlow> {
    const known = request.flowCookie;
    const flowCookie = known !== undefined && cookieForm.test(known) ? known : randomBytes(32).toString('base64url');
    const flow = { state: randomBytes(32).toString('base64url'), flowCookie };
    const inserted = await queryPrepared<unknown>(
      this.database,
      `insert into auth.sso_flow (state_hash, provider_id, browser_hash, origin, return_to, data, expires_at)
       select $1, id, $4, $5, $6, $7, now() + $8 * interval '1 second'
       from auth.identity_provider where ${isAsOpened}
       returning 1`,
      [
        ...[secretHash(flow.state), provider.id, provider.rowState, secretHash(flowCookie)],
        ...[request.origin, request.returnTo, data(flow), flowSeconds],
      ],
    );
    if (inserted.length === 0) throw new ProviderOutdated();
    return flow;
  }

  /**
   * Once only, by the browser that began it, at the provider that it began at.
   * @throws ProviderOutdated, and then it is not taken
   */
  async take(
    provider: ProviderState,
    state: string | null,
    flowCookie: string | undefined,
  ): Promise<TakenFlow | undefined> {
    if (state === null || !stateForm.test(state) || flowCookie === undefined || !cookieForm.test(flowCookie)) {
      return undefined;
    }
    const [row] = await queryPrepared<TakenRow>(
      this.database,
      `with provider as materialized (
         select 1 from auth.identity_provider where ${isAsOpened}
       ), taken as (
         delete from auth.sso_flow
         where state_hash = $1 and provider_id = $2 and browser_hash = $4 and expires_at > now()
           and exists (select from provider)
         returning origin, return_to, data
       )
       select exists (select from provider) as "isCurrent", origin, return_to as "returnTo", data
       from (select) one left join taken on true`,
      [secretHash(state), provider.id, provider.rowState, secretHash(flowCookie)],
    );
    if (!row?.isCurrent) throw new ProviderOutdated();
    const { origin, returnTo, data } = row;
    return origin === null ? undefined : { origin, returnTo, data, flowCookie };
  }

  /** Whether this is the first time that a provider's message comes, over all processes. */
  async takeMessage(
    providerId: string,
    messageId: string,
    expiresAt: Date,
    runner: Pick<Transaction, 'query'> = this.database,
  ): Promise<boolean> {
    const inserted = await runner.query<unknown[]>(
      `insert into auth.seen_message (provider_id, message_id, expires_at) values ($1, $2, $3)
       on conflict do nothing returning 1`,
      [providerId, messageId, expiresAt],
    );
    return inserted.length > 0;
  }

  async deleteOld(): Promise<void> {
    await this.database.query(`delete from auth.sso_flow where expires_at < now()`);
    await this.database.query(`delete from auth.seen_message where expires_at < now()`);
  }
}

/** A secret of one sign-in for one purpose, which only the browser that began it can give again. */
export function secretOf({ state, flowCookie }: BegunFlow, purpose: string): string {
  return createHmac('sha256', flowCookie).update(`${purpose} ${state}`).digest('base64url');
}
