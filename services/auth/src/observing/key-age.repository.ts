import { X509Certificate } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';

/** What ends, or gets old, of keys and certificates, over all workspaces. */
@Injectable()
export class KeyAgeRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** When the oldest data key was made; undefined where there is no workspace yet. */
  async oldestDataKey(): Promise<Date | undefined> {
    const [row] = await this.database.query<{ at: Date | null }[]>(
      `select min(data_key_made_at) as at from auth.workspace`,
    );
    return row?.at ?? undefined;
  }

  /** API keys that were used in the last week and end in the next one. */
  async countKeysThatEndSoon(): Promise<number> {
    const [row] = await this.database.query<{ count: number }[]>(
      `select count(*)::int as count from auth.api_key
       where revoked_at is null and last_used_at > now() - interval '7 days'
         and expires_at between now() and now() + interval '7 days'`,
    );
    return row?.count ?? 0;
  }

  /** When the first of the SAML providers has no good certificate left: each is as good as the last of its own. */
  async firstProviderWithoutCertificate(): Promise<Date | undefined> {
    const rows = await this.database.query<{ certificates: string[] }[]>(
      `select options -> 'certificates' as certificates from auth.identity_provider where kind = 'SAML' and enabled`,
    );
    const ends = rows.map(({ certificates }) => Math.max(...certificates.map(endOf)));
    return ends.length === 0 ? undefined : new Date(Math.min(...ends));
  }
}

/** One that cannot be read is as good as one that ended long ago. */
function endOf(pem: string): number {
  try {
    return new X509Certificate(pem).validToDate.getTime();
  } catch {
    return 0;
  }
}
