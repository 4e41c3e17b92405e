import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';

/** So many of one workspace are looked at: what one has too many of hides nothing of another. */
const providersMax = 100;
const keysMax = 20;
/** At once, as each may have 200 kB of certificates. */
const pageSize = 100;

/** The certificates of a provider that users sign in through, in PEM: its own, and ours that signs what it is asked. */
export interface KnownCertificates {
  readonly providerId: string;
  readonly own: readonly string[];
  readonly ours: string | null;
}

interface ExpiringKey {
  readonly id: string;
  readonly days: number;
}

@Injectable()
export class CredentialHealthRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** Page after page, by the ids of their providers. */
  async *certificates(): AsyncGenerator<KnownCertificates> {
    let after = '';
    for (;;) {
      const page = await this.certificatesAfter(after);
      yield* page;
      const last = page.at(-1);
      if (!last || page.length < pageSize) return;
      after = last.providerId;
    }
  }

  async keysThatExpire(withinDays: number): Promise<ExpiringKey[]> {
    return this.database.query<ExpiringKey[]>(
      `select id, floor(extract(epoch from expires_at - now()) / 86400)::integer as days
       from (
         select id, expires_at, row_number() over (partition by workspace_id order by expires_at, id) as number
         from auth.api_key
         where revoked_at is null and expires_at > now() and expires_at < now() + make_interval(days => $1)
           and last_used_at > now() - interval '30 days'
       ) k
       where number <= ${keysMax} order by expires_at, id`,
      [withinDays],
    );
  }

  private certificatesAfter(providerId: string): Promise<KnownCertificates[]> {
    return this.database.query<KnownCertificates[]>(
      `with numbered as (
         select p.id, row_number() over (partition by p.workspace_id order by p.id) as number
         from auth.identity_provider p left join auth.saml_key k on k.provider_id = p.id
         where p.enabled and (jsonb_typeof(p.options->'certificates') = 'array' or k.provider_id is not null)
       )
       select p.id as "providerId", k.certificate as ours,
         array(select jsonb_array_elements_text(case jsonb_typeof(p.options->'certificates')
           when 'array' then p.options->'certificates' else '[]' end)) as own
       from numbered n join auth.identity_provider p on p.id = n.id left join auth.saml_key k on k.provider_id = p.id
       where n.number <= ${providersMax} and p.id > $1 order by p.id limit ${pageSize}`,
      [providerId],
    );
  }
}
