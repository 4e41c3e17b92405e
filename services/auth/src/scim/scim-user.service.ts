import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { RequestOf, ResponseOf, ScimUser, scimRequests } from '#libs/contracts';
import { AuditRepository } from '#libs/database';
import type { Principal } from '#libs/identity';
import { AppError, changedMeanwhile } from '#libs/kernel';
import type { AuthConfig } from '../auth.config.js';
import { normalizeEmail } from '../input/email.js';
import { Issues } from '../input/issues.js';
import { checkName } from '../input/text.js';
import { PasswordTokenRepository } from '../password/password-token.repository.js';
import { RevocationRepository } from '../revocation/revocation.repository.js';
import { SessionRepository } from '../session/session.repository.js';
import { TransactionRepository, type Transaction } from '../transaction/transaction.repository.js';
import { UserRepository } from '../user/user.repository.js';
import type { UserKey, UserRow } from '../user/user.types.js';
import { ScimUserRepository } from './scim-user.repository.js';
import { toScimPage, type UserFields } from './scim.types.js';

type Requests = typeof scimRequests;

/**
 * Users as an identity provider makes, changes and takes them away. It may put out anybody but the last administrator, and
 * gives the roles of a setting alone; whom it did not make and who has more it cannot take over by another address.
 */
@Injectable()
export class ScimUserService {
  constructor(
    private readonly transactions: TransactionRepository,
    private readonly scim: ScimUserRepository,
    private readonly users: UserRepository,
    private readonly sessions: SessionRepository,
    private readonly passwordTokens: PasswordTokenRepository,
    private readonly revocations: RevocationRepository,
    private readonly audit: AuditRepository,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'scim'>,
  ) {}

  list(
    input: RequestOf<Requests['listScimUsers']>,
    { workspaceId }: Principal,
  ): Promise<ResponseOf<Requests['listScimUsers']>> {
    return this.scim.list(workspaceId, toScimPage(input));
  }

  async create({ fields }: RequestOf<Requests['createScimUser']>, { workspaceId }: Principal): Promise<ScimUser> {
    const checked = checkFields(fields);
    return this.transactions.run(async (transaction) => {
      await this.scim.assertFree(transaction, { workspaceId, id: '' }, checked);
      const key = await this.scim.insert(transaction, workspaceId, checked, this.config.scim.roles);
      const made = await this.scim.get(transaction, key);
      await this.record(transaction, key, 'user.created', { after: { ...checked, roleNames: this.config.scim.roles } });
      return made;
    });
  }

  /** Who is no longer active is out everywhere within seconds: sessions, tokens, keys, subscriptions. */
  async replace(input: RequestOf<Requests['replaceScimUser']>, { workspaceId }: Principal): Promise<ScimUser> {
    const fields = checkFields(input.fields);
    return this.transactions.run(async (transaction) => {
      const current = await this.lock(transaction, { workspaceId, id: input.id }, input.version);
      const before = (await this.scim.get(transaction, current)).fields;
      if (before && sameFields(before, fields)) return this.scim.get(transaction, current);
      this.refuseTakeover(current, fields);
      if (!fields.active) await this.refuseLastAdministrator(transaction, current);
      await this.scim.assertFree(transaction, current, fields);
      await this.scim.update(transaction, current, fields);
      if (!fields.active) await this.sessions.endAllOf(transaction, current.id);
      const isMoved = current.email !== fields.email;
      const isChanged = isMoved || before?.active !== fields.active;
      // A link that went to the address before sets no password, nor one from before the user was out.
      if (isChanged) await this.passwordTokens.deleteOf(transaction, [current.id]);
      const changed = await this.scim.get(transaction, current);
      const action =
        before?.active === fields.active ? 'user.updated' : fields.active ? 'user.enabled' : 'user.disabled';
      await this.record(transaction, current, action, { before, after: fields });
      // Last, as its lock ends with the commit. What a token has of row policies by address goes with the address.
      if (isChanged) await this.revocations.add(transaction, 'USER', [current.id]);
      return changed;
    });
  }

  async delete({ id, version }: RequestOf<Requests['deleteScimUser']>, { workspaceId }: Principal): Promise<void> {
    await this.transactions.run(async (transaction) => {
      const current = await this.lock(transaction, { workspaceId, id }, version);
      await this.refuseLastAdministrator(transaction, current);
      const { fields } = await this.scim.get(transaction, current);
      await this.scim.delete(transaction, current);
      await this.record(transaction, current, 'user.deleted', { before: fields });
      await this.revocations.add(transaction, 'USER', [id]);
    });
  }

  private async lock(transaction: Transaction, key: UserKey, version: number | undefined): Promise<UserRow> {
    const current = await this.users.lock(transaction, key);
    if (version !== undefined && version !== current.version) throw changedMeanwhile();
    return current;
  }

  private refuseTakeover(current: UserRow, fields: UserFields): void {
    if (current.email === fields.email) return;
    if (current.roleNames.every((role) => this.config.scim.roles.includes(role))) return;
    throw new AppError('auth.forbidden', 'This user has roles beyond those of provisioning: the address stays.', {
      path: ['emails'],
    });
  }

  private async refuseLastAdministrator(transaction: Transaction, current: UserRow): Promise<void> {
    if (current.disabled || !current.roleNames.includes('admin')) return;
    if (await this.users.hasOtherAdministrator(transaction, current)) return;
    throw new AppError('auth.forbidden', 'This is the last enabled administrator of the workspace.', {
      path: ['active'],
    });
  }

  private record(
    transaction: Transaction,
    { workspaceId, id }: UserKey,
    action: string,
    sides: { before?: UserFields | undefined; after?: object },
  ): Promise<void> {
    const target = { type: 'user', id, name: sides.before?.email ?? undefined };
    return this.audit.add(transaction, { action, workspaceId, target, ...sides });
  }
}

function sameFields(one: UserFields, other: UserFields): boolean {
  // The names of either's own members.
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])] as (keyof UserFields)[];
  return names.every((name) => (one[name] ?? undefined) === (other[name] ?? undefined));
}

function checkFields(fields: UserFields | undefined): UserFields {
  const issues = new Issues();
  if (!fields) throw new AppError('input.invalid', 'There is no user in it.', { path: [] });
  const optional = (name: 'givenName' | 'familyName' | 'externalId'): string | undefined =>
    fields[name] === undefined || fields[name].trim() === '' ? undefined : checkName(fields[name], [name], issues);
  const email = normalizeEmail(fields.email);
  if (email === undefined) issues.add(['emails'], 'The user needs an email address, as userName or in emails.');
  const checked = {
    userName: checkName(fields.userName, ['userName'], issues),
    email: email ?? '',
    displayName: checkName(fields.displayName, ['displayName'], issues),
    givenName: optional('givenName'),
    familyName: optional('familyName'),
    externalId: optional('externalId'),
    active: fields.active,
  };
  issues.throwIfAny();
  return checked;
}
