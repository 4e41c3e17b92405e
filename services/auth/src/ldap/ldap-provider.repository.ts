import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';

@Injectable()
export class LdapProviderRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /**
   * The directories whom a password may be told to, in the order of their names: those of the workspace that was named, or
   * of the only one that there is. A password never goes to the directory of a workspace that nobody named.
   */
  async findFor(workspaceSlug: string | undefined): Promise<string[]> {
    const rows = await this.database.query<{ id: string }[]>(
      `select p.id from auth.identity_provider p join auth.workspace w on w.id = p.workspace_id
       where p.kind = 'LDAP' and p.enabled
         and (w.slug = $1 or ($1::text is null and not exists (select 1 from auth.workspace o where o.id <> w.id)))
       order by p.name_key`,
      [workspaceSlug ?? null],
    );
    return rows.map(({ id }) => id);
  }
}
