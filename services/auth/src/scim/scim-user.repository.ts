import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { ScimUser } from '#libs/contracts';
import { AppError, isId, newId } from '#libs/kernel';
import { keyOf } from '../input/text.js';
import type { Transaction } from '../transaction/transaction.repository.js';
import type { UserKey } from '../user/user.types.js';
import { filterToSql, type FilterColumns } from './scim-filter.js';
import type { ScimPage, UserFields } from './scim.types.js';

interface Row extends Omit<UserFields, 'displayName' | 'givenName' | 'familyName' | 'externalId'> {
  id: string;
  displayName: string;
  givenName: string | null;
  familyName: string | null;
  externalId: string | null;
  groups: { id: string; name: string }[];
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

const userName = 'coalesce(u.user_name, u.email)';
const columns = `u.id, ${userName} as "userName", u.email, u.name as "displayName", u.given_name as "givenName",
  u.family_name as "familyName", u.external_id as "externalId", not u.disabled as active, u.version,
  u.created_at as "createdAt", u.updated_at as "updatedAt",
  coalesce((select json_agg(json_build_object('id', g.id, 'name', g.name) order by g.name)
    from auth.user_group_member m join auth.user_group g on g.id = m.group_id where m.user_id = u.id), '[]') as groups`;

const filters: FilterColumns = {
  id: { sql: 'u.id', type: 'exact' },
  externalid: { sql: 'u.external_id', type: 'exact' },
  username: { sql: userName, type: 'text' },
  displayname: { sql: 'u.name', type: 'text' },
  'name.formatted': { sql: 'u.name', type: 'text' },
  'name.givenname': { sql: 'u.given_name', type: 'text' },
  'name.familyname': { sql: 'u.family_name', type: 'text' },
  'emails.value': { sql: 'u.email', type: 'text' },
  'emails.type': { sql: `'work'`, type: 'text' },
  'emails.primary': { sql: 'true', type: 'boolean' },
  active: { sql: 'not u.disabled', type: 'boolean' },
  'meta.created': { sql: 'u.created_at', type: 'time' },
  'meta.lastmodified': { sql: 'u.updated_at', type: 'time' },
};

/** Users as an identity provider sees them. */
@Injectable()
export class ScimUserRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  async list(
    workspaceId: string,
    { filter, startIndex, count }: ScimPage,
  ): Promise<{ users: ScimUser[]; total: number }> {
    const condition = filter === undefined ? { sql: 'true', values: [] } : filterToSql(filter, filters, 2);
    const values = [workspaceId, ...condition.values];
    const where = `u.workspace_id = $1 and (${condition.sql})`;
    const next = values.length + 1;
    const [rows, counted] = await Promise.all([
      this.database.query<Row[]>(
        `select ${columns} from auth.user_account u where ${where} order by u.id offset $${next} limit $${next + 1}`,
        [...values, startIndex - 1, count],
      ),
      this.database.query<{ count: string }[]>(`select count(*) from auth.user_account u where ${where}`, values),
    ]);
    return { users: rows.map(toScimUser), total: Number(counted[0]?.count ?? 0) };
  }

  /** @throws AppError `auth.user_not_found` */
  async get(transaction: Transaction, { workspaceId, id }: UserKey): Promise<ScimUser> {
    const rows = isId('user', id)
      ? await transaction.query<Row[]>(
          `select ${columns} from auth.user_account u where u.workspace_id = $1 and u.id = $2`,
          [workspaceId, id],
        )
      : [];
    if (!rows[0]) throw new AppError('auth.user_not_found', 'There is no such user.', { path: ['id'] });
    return toScimUser(rows[0]);
  }

  /** Of two who take one name or address the second waits here. @throws AppError `auth.email_taken` */
  async assertFree(transaction: Transaction, { workspaceId, id }: UserKey, fields: UserFields): Promise<void> {
    await transaction.query(`select pg_advisory_xact_lock(hashtextextended('auth.scim' || $1, 0))`, [workspaceId]);
    const taken = await transaction.query<unknown[]>(
      `select 1 from auth.user_account u
       where u.workspace_id = $1 and u.id <> $2 and (lower(${userName}) = lower($3) or u.email = $4)`,
      [workspaceId, id, fields.userName, fields.email],
    );
    if (taken.length === 0) return;
    throw new AppError('auth.email_taken', 'A user of this name or address is there already.', { path: ['userName'] });
  }

  async insert(
    transaction: Transaction,
    workspaceId: string,
    fields: UserFields,
    roleNames: readonly string[],
  ): Promise<UserKey> {
    const key = { workspaceId, id: newId('user') };
    await transaction.query(
      `insert into auth.user_account (id, workspace_id, email, name, name_key, role_names, user_name, given_name,
         family_name, external_id, disabled)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      [
        ...[key.id, workspaceId, fields.email, fields.displayName, keyOf(fields.displayName), roleNames],
        ...own(fields),
      ],
    );
    return key;
  }

  async update(transaction: Transaction, { id }: UserKey, fields: UserFields): Promise<void> {
    await transaction.query(
      `update auth.user_account set email = $2, name = $3, name_key = $4, user_name = $5, given_name = $6,
         family_name = $7, external_id = $8, disabled = $9, version = version + 1, updated_at = now()
       where id = $1`,
      [...[id, fields.email, fields.displayName, keyOf(fields.displayName)], ...own(fields)],
    );
  }

  /** Sessions, keys and memberships go with the user. */
  async delete(transaction: Transaction, { id }: UserKey): Promise<void> {
    await transaction.query(`delete from auth.user_account where id = $1`, [id]);
  }
}

function own({ userName: name, givenName, familyName, externalId, active }: UserFields): unknown[] {
  return [name, givenName ?? null, familyName ?? null, externalId ?? null, !active];
}

function toScimUser(row: Row): ScimUser {
  const { id, groups, version, createdAt, updatedAt, userName: name, email, displayName, active } = row;
  const [givenName, familyName, externalId] = [row.givenName, row.familyName, row.externalId].map(
    (value) => value ?? undefined,
  );
  const fields = { userName: name, email, displayName, givenName, familyName, externalId, active };
  return { id, fields, groups, version, createdAt, updatedAt };
}
