import { createHmac, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { queryPrepared } from '#libs/database';
import { secretHash } from '#libs/encryption';
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

/**
 * Sign-ins under way. Of what the browser and the provider hold there are only hashes, so who reads the database can end no
 * sign-in; what a kind needs besides is derived from the browser's cookie and is kept nowhere.
 */
@Injectable()
export class SsoFlowRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** @param data what the kind wants to have again */
  async begin(
    providerId: string,
    request: { readonly flowCookie: string | undefined; readonly origin: string; readonly returnTo: string },
    data: (flow: BegunFlow) => Readonly<Record<string, string>> = () => ({}),
  ): Promise<BegunFlow> {
    const known = request.flowCookie;
    const flowCookie = known !== undefined && cookieForm.test(known) ? known : randomBytes(32).toString('base64url');
    const flow = { state: randomBytes(32).toString('base64url'), flowCookie };
    await queryPrepared(
      this.database,
      `insert into auth.sso_flow (state_hash, provider_id, browser_hash, origin, return_to, data, expires_at)
       values ($1, $2, $3, $4, $5, $6, now() + $7 * interval '1 second')`,
      [
        ...[secretHash(flow.state), providerId, secretHash(flowCookie), request.origin, request.returnTo, data(flow)],
        flowSeconds,
      ],
    );
    return flow;
  }

  /** Once only, by the browser that began it, at the provider that it began at. */
  async take(providerId: string, state: string | null, flowCookie: string | undefined): Promise<TakenFlow | undefined> {
    if (state === null || !stateForm.test(state) || flowCookie === undefined || !cookieForm.test(flowCookie)) {
      return undefined;
    }
    const [row] = await queryPrepared<Omit<TakenFlow, 'flowCookie'>>(
      this.database,
      `delete from auth.sso_flow
       where state_hash = $1 and provider_id = $2 and browser_hash = $3 and expires_at > now()
       returning origin, return_to as "returnTo", data`,
      [secretHash(state), providerId, secretHash(flowCookie)],
    );
    return row && { ...row, flowCookie };
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
