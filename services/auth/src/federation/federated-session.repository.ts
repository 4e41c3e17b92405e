import { Injectable } from '@nestjs/common';
import { AuditRepository } from '#libs/database';
import type { OpenProvider } from '../identity-provider/identity-provider.types.js';
import { besideFirst, type BesideOpening } from '../session/session.repository.js';
import type { Transaction } from '../transaction/transaction.repository.js';

/** What a provider says of the sessions that it wants ended: its own session, or everything of one subject. */
export interface EndedAtProvider {
  readonly subject?: string | undefined;
  readonly providerSession?: string | undefined;
}

/** Which sessions providers have opened. */
@Injectable()
export class FederatedSessionRepository {
  constructor(private readonly audit: AuditRepository) {}

  /**
   * With a session, which there is only where the provider is still as it was opened: notes by which provider it is opened,
   * that this was the subject's last sign-in, and its audit entry.
   */
  besideOpening(
    on: Transaction,
    { id, kind, workspaceId, version }: OpenProvider,
    { subject, providerSession }: { readonly subject: string; readonly providerSession: string | undefined },
    { userId, sessionId }: { readonly userId: string; readonly sessionId: string },
  ): BesideOpening {
    const record = {
      action: 'session.signed_in',
      target: { type: 'session', id: sessionId },
      workspaceId,
      actor: { kind: 'USER', id: userId, sessionId },
      after: { by: kind, providerId: id },
    } as const;
    const entry = this.audit.insertion(on, record, { first: besideFirst + 4, each: 'opened' });
    const [provider, name, session] = [0, 1, 2].map((place) => `$${besideFirst + place}::text`);
    return {
      allowed: `select 1 from auth.identity_provider
          where id = ${provider} and enabled and version = $${besideFirst + 3}::integer for share`,
      sql: `signed_in as (
          update auth.external_identity set last_sign_in_at = now()
          from opened where provider_id = ${provider} and subject = ${name}
        ), federated as (
          insert into auth.federated_session (session_id, provider_id, subject, provider_session)
          select id, ${provider}, ${name}, ${session} from opened
        ), told as (${entry.sql})`,
      parameters: [id, subject, providerSession ?? null, version, ...entry.parameters],
    };
  }

  /** Sessions were opened with what this has put beside them. */
  wrote(on: Transaction): void {
    this.audit.wrote(on);
  }

  /** Ends those that are under way. @returns their ids */
  async end(
    transaction: Transaction,
    { id }: OpenProvider,
    { subject, providerSession }: EndedAtProvider,
  ): Promise<string[]> {
    const [rows] = await transaction.query<[{ id: string }[], number]>(
      `update auth.session s set ended_at = now() from auth.federated_session f
       where f.session_id = s.id and f.provider_id = $1 and s.ended_at is null
         and ($2::text is not null or $3::text is not null)
         and ($2::text is null or f.subject = $2) and ($3::text is null or f.provider_session = $3)
       returning s.id`,
      [id, subject ?? null, providerSession ?? null],
    );
    return rows.map((row) => row.id);
  }
}
