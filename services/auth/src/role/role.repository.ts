import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Role } from '#libs/contracts';
import { escapeLike, type ParsedPage } from '#libs/database';
import { isPermission, roles, type Permission } from '#libs/identity';
import { AppError, newId } from '#libs/kernel';
import type { Transaction } from '../transaction/transaction.repository.js';

/** Roles by name, the built-in ones among them, each with what it allows. */
export type KnownRoles = ReadonlyMap<string, readonly Permission[]>;

export interface NewRole {
  readonly name: string;
  readonly permissions: readonly Permission[];
}

const columns = `id, name, permissions, version, created_at as "createdAt"`;

const namedPermissions = 'select name, permissions from auth.role where workspace_id = $1';

interface Named {
  readonly name: string;
  readonly permissions: readonly string[];
}

/** Custom roles in PostgreSQL. */
@Injectable()
export class RoleRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  find(workspaceId: string, ids: readonly string[]): Promise<Role[]> {
    return this.database.query<Role[]>(
      `select ${columns} from auth.role where workspace_id = $1 and id = any ($2::text[])`,
      [workspaceId, ids],
    );
  }

  /** Alphabetical. */
  async list(
    workspaceId: string,
    search: string | undefined,
    page: ParsedPage<readonly ['string']>,
  ): Promise<{ rows: Role[]; totalCount: number }> {
    const filter = `workspace_id = $1 and ($2::text is null or name ilike $2)`;
    const pattern = search === undefined ? null : `%${escapeLike(search)}%`;
    const [rows, counted] = await Promise.all([
      this.database.query<Role[]>(
        `select ${columns} from auth.role where ${filter} and ($3::text is null or name > $3) order by name limit $4`,
        [workspaceId, pattern, page.after?.[0] ?? null, page.limit],
      ),
      this.database.query<{ count: string }[]>(`select count(*) from auth.role where ${filter}`, [
        workspaceId,
        pattern,
      ]),
    ]);
    return { rows, totalCount: Number(counted[0]?.count ?? 0) };
  }

  /** What may be given to users, as it is at the moment. */
  async all(workspaceId: string): Promise<KnownRoles> {
    return toKnown(await this.database.query(namedPermissions, [workspaceId]));
  }

  /** What may be given to users. They stay as they are until the transaction ends. */
  async lockAll(transaction: Transaction, workspaceId: string): Promise<KnownRoles> {
    return toKnown(await transaction.query<Named[]>(`${namedPermissions} for share`, [workspaceId]));
  }

  async count(transaction: Transaction, workspaceId: string): Promise<number> {
    const [row] = await transaction.query<{ count: string }[]>(
      `select count(*) from auth.role where workspace_id = $1`,
      [workspaceId],
    );
    return Number(row?.count);
  }

  /** @throws AppError `entity.name_taken` */
  async insert(transaction: Transaction, workspaceId: string, { name, permissions }: NewRole): Promise<Role> {
    const [row] = await transaction.query<Role[]>(
      `insert into auth.role (id, workspace_id, name, permissions) values ($1, $2, $3, $4)
       on conflict on constraint role_name_key do nothing returning ${columns}`,
      [newId('role'), workspaceId, name, permissions],
    );
    if (!row) throw new AppError('entity.name_taken', 'A role of this name is there already.', { path: ['name'] });
    return row;
  }

  /** The role, which nobody else changes or gives until the transaction ends. @throws AppError `auth.role_not_found` */
  async lock(transaction: Transaction, workspaceId: string, id: string): Promise<Role> {
    const [row] = await transaction.query<Role[]>(
      `select ${columns} from auth.role where workspace_id = $1 and id = $2 for update`,
      [workspaceId, id],
    );
    if (!row) throw new AppError('auth.role_not_found', 'There is no such role.', { path: ['id'] });
    return row;
  }

  async update(transaction: Transaction, id: string, permissions: readonly Permission[]): Promise<Role> {
    const [[row]] = await transaction.query<[Role[], number]>(
      `update auth.role set permissions = $2, version = version + 1, updated_at = now() where id = $1
       returning ${columns}`,
      [id, permissions],
    );
    if (!row) throw new Error('a role is gone within its own transaction');
    return row;
  }

  async delete(transaction: Transaction, id: string): Promise<void> {
    await transaction.query(`delete from auth.role where id = $1`, [id]);
  }

  /** An identity provider whose rules give the role of this name. */
  async providerNaming(transaction: Transaction, workspaceId: string, name: string): Promise<string | undefined> {
    const [row] = await transaction.query<{ name: string }[]>(
      `select name from auth.identity_provider where workspace_id = $1 and (
         jsonb_path_exists(rules, '$.roles.map[*].roles[*] ? (@ == $name)', jsonb_build_object('name', $2::text))
         or jsonb_path_exists(rules, '$.roles.default[*] ? (@ == $name)', jsonb_build_object('name', $2::text)))
       order by name limit 1`,
      [workspaceId, name],
    );
    return row?.name;
  }

  /** Who has the role: locked, so that whoever is issued a token meanwhile was so before, or is after the change. */
  async lockHolders(transaction: Transaction, workspaceId: string, name: string): Promise<string[]> {
    const rows = await transaction.query<{ id: string }[]>(
      `select id from auth.user_account where workspace_id = $1 and $2 = any (role_names) order by id for update`,
      [workspaceId, name],
    );
    return rows.map(({ id }) => id);
  }
}

function toKnown(custom: readonly Named[]): KnownRoles {
  return new Map<string, readonly Permission[]>([
    ...custom.map(({ name, permissions }) => [name, permissions.filter(isPermission)] as const),
    ...Object.entries(roles),
  ]);
}
