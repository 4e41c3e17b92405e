import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';

const certificatesMax = 500;
const keysMax = 20;

/** In PEM, and whose it is. */
export interface KnownCertificate {
  readonly owner: string;
  readonly pem: string;
}

interface ExpiringKey {
  readonly id: string;
  readonly days: number;
}

@Injectable()
export class CredentialHealthRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** Of the identity providers that users sign in through, and our own that sign what they are asked. */
  async certificates(): Promise<KnownCertificate[]> {
    return this.database.query<KnownCertificate[]>(
      `select 'the identity provider ' || p.id as owner, c.pem
       from auth.identity_provider p cross join lateral
         jsonb_array_elements_text(case jsonb_typeof(p.options->'certificates')
           when 'array' then p.options->'certificates' else '[]' end) c (pem)
       where p.enabled
       union all
       select 'ours for the identity provider ' || k.provider_id, k.certificate
       from auth.saml_key k join auth.identity_provider p on p.id = k.provider_id where p.enabled
       limit ${certificatesMax}`,
    );
  }

  async keysThatExpire(withinDays: number): Promise<ExpiringKey[]> {
    return this.database.query<ExpiringKey[]>(
      `select id, floor(extract(epoch from expires_at - now()) / 86400)::integer as days from auth.api_key
       where revoked_at is null and expires_at > now() and expires_at < now() + make_interval(days => $1)
         and last_used_at > now() - interval '30 days'
       order by expires_at limit ${keysMax}`,
      [withinDays],
    );
  }
}
