import { Injectable } from '@nestjs/common';
import type { OpenProvider } from '../identity-provider/identity-provider.types.js';
import type { Transaction } from '../transaction/transaction.repository.js';

/** What a provider says of the sessions that it wants ended: its own session, or everything of one subject. */
export interface EndedAtProvider {
  readonly subject?: string | undefined;
  readonly providerSession?: string | undefined;
}

/** Which sessions providers have opened. */
@Injectable()
export class FederatedSessionRepository {
  /** Notes who has opened a session by which provider, and that this was the subject's last sign-in. */
  async insert(
    transaction: Transaction,
    sessionId: string,
    { id }: OpenProvider,
    subject: string,
    providerSession: string | undefined,
  ): Promise<void> {
    await transaction.query(
      `with signed_in as (
         update auth.external_identity set last_sign_in_at = now() where provider_id = $2 and subject = $3
       )
       insert into auth.federated_session (session_id, provider_id, subject, provider_session) values ($1, $2, $3, $4)`,
      [sessionId, id, subject, providerSession ?? null],
    );
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
