import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { escapeLike, isUniqueViolation, queryPrepared, type ParsedPage } from '#libs/database';
import { AppError, isId } from '#libs/kernel';
import type { Transaction } from '../transaction/transaction.repository.js';
import type { OpenProvider, ProviderChange, ProviderRow } from './identity-provider.types.js';

interface ProviderKey {
  readonly workspaceId: string;
  readonly id: string;
}

type NewRow = Omit<ProviderRow, 'version' | 'createdAt' | 'rowState'>;

const columns = `
  p.id, p.workspace_id as "workspaceId", p.name, p.name_key as "nameKey", p.kind, p.enabled, p.options,
  p.secret_names as "secretNames", p.sealed_secrets as "sealedSecrets", p.email_domains as "emailDomains", p.rules,
  p.version, p.created_at as "createdAt", p.xmin::text as "rowState"`;

/** Identity providers in PostgreSQL, with their secrets sealed. */
@Injectable()
export class IdentityProviderRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** Of any workspace: its id is all that a browser brings. Undefined also where it is not enabled. */
  async findEnabled(id: string): Promise<ProviderRow | undefined> {
    if (!isId('identityProvider', id)) return undefined;
    const [row] = await queryPrepared<ProviderRow>(
      this.database,
      `select ${columns} from auth.identity_provider p where p.id = $1 and p.enabled`,
      [id],
    );
    return row;
  }

  find(workspaceId: string, ids: readonly string[]): Promise<ProviderRow[]> {
    return this.database.query<ProviderRow[]>(
      `select ${columns} from auth.identity_provider p where p.workspace_id = $1 and p.id = any ($2::text[])`,
      [workspaceId, ids],
    );
  }

  /** Alphabetical. */
  async list(
    workspaceId: string,
    search: string | undefined,
    page: ParsedPage,
  ): Promise<{ rows: ProviderRow[]; totalCount: number }> {
    const pattern = search === undefined ? null : `%${escapeLike(search)}%`;
    const filter = `p.workspace_id = $1 and ($2::text is null or p.name_key like $2)`;
    const [rows, counted] = await Promise.all([
      this.database.query<ProviderRow[]>(
        `select ${columns} from auth.identity_provider p
         where ${filter} and ($3::text is null or p.name_key > $3) order by p.name_key limit $4`,
        [workspaceId, pattern, page.after?.[0] ?? null, page.limit],
      ),
      this.database.query<{ count: string }[]>(`select count(*) from auth.identity_provider p where ${filter}`, [
        workspaceId,
        pattern,
      ]),
    ]);
    return { rows, totalCount: Number(counted[0]?.count ?? 0) };
  }

  /** @throws AppError `entity.name_taken` */
  async insert(transaction: Transaction, row: NewRow): Promise<ProviderRow> {
    await refuseTakenName(
      transaction.query(
        `insert into auth.identity_provider
           (id, workspace_id, name, name_key, kind, enabled, options, secret_names, sealed_secrets, email_domains, rules)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
        [
          ...[row.id, row.workspaceId, row.name, row.nameKey, row.kind, row.enabled, row.options],
          ...[row.secretNames, row.sealedSecrets, row.emailDomains, row.rules],
        ],
      ),
    );
    return this.read(transaction, row);
  }

  /** The provider, which nobody else changes until the transaction ends. @throws AppError `identity_provider.not_found` */
  async lock(transaction: Transaction, { workspaceId, id }: ProviderKey): Promise<ProviderRow> {
    const locked = await transaction.query<unknown[]>(
      `select 1 from auth.identity_provider where workspace_id = $1 and id = $2 for update`,
      [workspaceId, id],
    );
    if (locked.length === 0) throw providerNotFound();
    return this.read(transaction, { workspaceId, id });
  }

  /**
   * Whom a provider has named is signed in by it as it was when it was asked: nobody changes it until the transaction ends.
   * @throws AppError `identity_provider.not_found`, `sso.provider_changed`
   */
  async holdAsOpened(transaction: Transaction, { id, version }: Pick<OpenProvider, 'id' | 'version'>): Promise<void> {
    const [row] = await transaction.query<{ version: number }[]>(
      `select version from auth.identity_provider where id = $1 and enabled for share`,
      [id],
    );
    if (!row) throw providerNotFound();
    if (row.version === version) return;
    throw new AppError('sso.provider_changed', 'The identity provider was changed meanwhile. Sign in again.', {
      retryable: true,
    });
  }

  async update(transaction: Transaction, current: ProviderRow, change: ProviderChange): Promise<ProviderRow> {
    const next = { ...current, ...change };
    await refuseTakenName(
      transaction.query(
        `update auth.identity_provider
         set name = $2, name_key = $3, enabled = $4, options = $5, secret_names = $6, sealed_secrets = $7,
           email_domains = $8, rules = $9, version = version + 1, updated_at = now()
         where id = $1`,
        [
          ...[current.id, next.name, next.nameKey, next.enabled, next.options, next.secretNames],
          ...[next.sealedSecrets, next.emailDomains, next.rules],
        ],
      ),
    );
    return this.read(transaction, current);
  }

  async delete(transaction: Transaction, { id }: ProviderKey): Promise<void> {
    await transaction.query(`delete from auth.identity_provider where id = $1`, [id]);
  }

  /** Whether anybody could still sign in without a password. */
  async hasEnabled(transaction: Transaction, workspaceId: string): Promise<boolean> {
    const found = await transaction.query<unknown[]>(
      `select 1 from auth.identity_provider where workspace_id = $1 and enabled limit 1`,
      [workspaceId],
    );
    return found.length > 0;
  }

  private async read(transaction: Transaction, { id }: ProviderKey): Promise<ProviderRow> {
    const [row] = await transaction.query<ProviderRow[]>(
      `select ${columns} from auth.identity_provider p where p.id = $1`,
      [id],
    );
    if (!row) throw new Error('a provider is gone within its own transaction');
    return row;
  }
}

export function providerNotFound(): AppError {
  return new AppError('identity_provider.not_found', 'There is no such identity provider.', { path: ['id'] });
}

async function refuseTakenName(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isUniqueViolation(error, 'identity_provider_name_key')) throw error;
    throw new AppError('entity.name_taken', 'An identity provider of this name is there already.', { path: ['name'] });
  }
}
