import { Injectable } from '@nestjs/common';
import type { IdentityProvider, identityProviderRequests, RequestOf, ResponseOf } from '#libs/contracts';
import { AuditRepository, parsePage, toPage } from '#libs/database';
import { permissionNames, type Permission, type Principal } from '#libs/identity';
import { AppError, changedMeanwhile, type JsonObject, newId } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { Issues } from '../input/issues.js';
import { checkIds, checkSearch, keyOf } from '../input/text.js';
import { TransactionRepository, type Transaction } from '../transaction/transaction.repository.js';
import { WorkspaceRepository } from '../workspace/workspace.repository.js';
import { auditedProvider } from './audited-provider.js';
import {
  checkCleared,
  checkDomains,
  checkOptions,
  checkProviderName,
  checkRules,
  splitOptions,
} from './identity-provider.input.js';
import { RoleRepository } from '../role/role.repository.js';
import { IdentityProviderRepository, providerNotFound } from './identity-provider.repository.js';
import type { ProviderChange, ProviderRow } from './identity-provider.types.js';
import { OpenedProviders, type OpenedProvider } from './opened-providers.js';
import { ProviderKinds } from './provider-kinds.js';
import { ProviderSecrets, type SealSecrets } from './provider-secrets.service.js';
import { toIdentityProvider } from './to-identity-provider.js';

type Requests = typeof identityProviderRequests;
type UpdateInput = RequestOf<Requests['updateIdentityProvider']>;

/** The identity providers of a workspace, for those who manage them. */
@Injectable()
export class IdentityProviderService {
  constructor(
    private readonly providers: IdentityProviderRepository,
    private readonly kinds: ProviderKinds,
    private readonly secrets: ProviderSecrets,
    private readonly opened: OpenedProviders,
    private readonly workspaces: WorkspaceRepository,
    private readonly roles: RoleRepository,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly logger: AppLogger,
  ) {}

  async get(ids: readonly string[], { workspaceId }: Principal): Promise<IdentityProvider[]> {
    const known = checkIds('identityProvider', ids);
    return known.length === 0 ? [] : (await this.providers.find(workspaceId, known)).map(toIdentityProvider);
  }

  /** Alphabetical. */
  async list(
    input: RequestOf<Requests['listIdentityProviders']>,
    { workspaceId }: Principal,
  ): Promise<ResponseOf<Requests['listIdentityProviders']>> {
    const issues = new Issues();
    const search = checkSearch(input.search, issues);
    issues.throwIfAny();
    const page = parsePage(input.page, 'identityProviders', { workspaceId, search: search ?? null });
    const { rows, totalCount } = await this.providers.list(workspaceId, search, page);
    const { rows: shown, cursors, pageInfo } = toPage(rows, page, ({ nameKey }) => [nameKey]);
    return { identityProviders: shown.map(toIdentityProvider), cursors, pageInfo, totalCount };
  }

  async create(
    input: RequestOf<Requests['createIdentityProvider']>,
    { workspaceId, userId, permissions }: Principal,
  ): Promise<IdentityProvider> {
    refuseWeak(permissions);
    const issues = new Issues();
    const kind = this.kinds.get(input.kind);
    const name = checkProviderName(input.name, issues);
    const given = input.options ?? {};
    checkOptions(kind, given, issues);
    const emailDomains = checkDomains(input.emailDomains, issues);
    const known = await this.roles.all(workspaceId);
    const rules = checkRules(input.rules ?? {}, { known, granter: permissions }, issues);
    issues.throwIfAny();
    const { options, secrets } = splitOptions(kind, given);
    const key = { id: newId('identityProvider'), workspaceId };
    const seal = await this.secrets.sealerOf(workspaceId);
    const row = await this.transactions.run(async (transaction) => {
      await this.holdRoles(transaction, { workspaceId, rules }, permissions);
      const made = await this.providers.insert(transaction, {
        ...{ ...key, name, nameKey: keyOf(name), kind: kind.name, enabled: input.enabled },
        ...{ options, ...seal(key.id, secrets), emailDomains, rules },
      });
      await this.audit.add(transaction, auditedProvider('created', undefined, made));
      return made;
    });
    this.logger.info({ providerId: row.id, byUserId: userId, kind: row.kind }, 'an identity provider was made');
    return toIdentityProvider(row);
  }

  async update(input: UpdateInput, caller: Principal): Promise<IdentityProvider> {
    const issues = new Issues();
    checkCleared(input, issues);
    const { workspaceId, permissions, userId } = caller;
    refuseWeak(permissions);
    const name = input.name === undefined ? undefined : checkProviderName(input.name, issues);
    const domains = input.cleared.includes('emailDomains') ? [] : input.emailDomains?.values;
    const rules = input.cleared.includes('rules') ? {} : input.rules;
    const known = await this.roles.all(workspaceId);
    const change: ProviderChange = {
      ...(name === undefined ? {} : { name, nameKey: keyOf(name) }),
      ...(input.enabled === undefined ? {} : { enabled: input.enabled }),
      ...(domains === undefined ? {} : { emailDomains: checkDomains(domains, issues) }),
      ...(rules === undefined ? {} : { rules: checkRules(rules, { known, granter: permissions }, issues) }),
    };
    issues.throwIfAny();
    const seal = await this.secrets.sealerOf(workspaceId);
    const row = await this.transactions.run(async (transaction) => {
      const current = await this.providers.lock(transaction, { workspaceId, id: input.id });
      if (current.version !== input.version) throw changedMeanwhile();
      if (change.rules) await this.holdRoles(transaction, { workspaceId, rules: change.rules }, permissions);
      const options = input.options === undefined ? {} : this.changedOptions(current, input.options, seal);
      const changed = await this.providers.update(transaction, current, { ...change, ...options });
      await this.audit.add(transaction, auditedProvider('updated', current, changed));
      if (!changed.enabled) await this.refuseLockOut(transaction, workspaceId, 'enabled');
      return changed;
    });
    this.logger.info({ providerId: row.id, byUserId: userId }, 'an identity provider was changed');
    return toIdentityProvider(row);
  }

  /** Whom it has named stay users; they sign in by it no more. */
  async delete(id: string, { workspaceId, userId }: Principal): Promise<void> {
    await this.transactions.run(async (transaction) => {
      const current = await this.providers.lock(transaction, { workspaceId, id });
      await this.providers.delete(transaction, current);
      await this.audit.add(transaction, auditedProvider('deleted', current, undefined));
      await this.refuseLockOut(transaction, workspaceId, 'id');
    });
    this.logger.info({ providerId: id, byUserId: userId }, 'an identity provider was deleted');
  }

  /** An enabled provider with its secrets, for its kind. @throws AppError `identity_provider.not_found` */
  async open(id: string): Promise<OpenedProvider> {
    const row = await this.providers.findEnabled(id);
    if (!row) throw providerNotFound();
    return this.opened.of(row);
  }

  /** As it was opened last, without asking: only for what is done where it still is so. */
  lastOpened(id: string): OpenedProvider | undefined {
    return this.opened.last(id);
  }

  /** No role that rules name goes before the rules are there, which then hold it. */
  private async holdRoles(
    transaction: Transaction,
    { workspaceId, rules }: Pick<ProviderRow, 'workspaceId' | 'rules'>,
    granter: ReadonlySet<Permission>,
  ): Promise<void> {
    const issues = new Issues();
    checkRules(rules, { known: await this.roles.lockAll(transaction, workspaceId), granter }, issues);
    issues.throwIfAny();
  }

  /**
   * Secrets that are not given stay, unless what says where they go changes: then they would be told to somebody else, and have to be
   * given again. Without them, unasked, a confidential client would be a public one.
   */
  private changedOptions(current: ProviderRow, given: JsonObject, seal: SealSecrets): ProviderChange {
    const kind = this.kinds.get(current.kind);
    const { options, secrets } = splitOptions(kind, given);
    const goesElsewhere = kind.destination.some(
      (name) => JSON.stringify(options[name]) !== JSON.stringify(current.options[name]),
    );
    const all = { ...(goesElsewhere ? {} : this.secrets.open(current)), ...secrets };
    const issues = new Issues();
    for (const name of current.secretNames.filter((each) => !Object.hasOwn(all, each))) {
      issues.add(['options', name], `Give it again, as ${kind.destination.join(' or ')} changes.`);
    }
    checkOptions(kind, { ...options, ...all }, issues);
    issues.throwIfAny();
    return { options, ...seal(current.id, all) };
  }

  /** Where no password is good, the last enabled provider is the only door. */
  private async refuseLockOut(transaction: Transaction, workspaceId: string, field: string): Promise<void> {
    if (!(await this.workspaces.lockSsoEnforced(transaction, workspaceId))) return;
    if (await this.providers.hasEnabled(transaction, workspaceId)) return;
    throw new AppError(
      'input.invalid',
      'Single sign-on is enforced and this is the last enabled provider. Set ssoEnforced to false first.',
      { path: [field] },
    );
  }
}

/** Who decides who somebody is can be anybody, so nobody who may not do everything does. */
function refuseWeak(permissions: ReadonlySet<Permission>): void {
  const lacking = permissionNames.find((permission) => !permissions.has(permission));
  if (lacking === undefined) return;
  throw new AppError(
    'auth.forbidden',
    `Who an identity provider names signs in as that user: this needs ${lacking} too.`,
  );
}
