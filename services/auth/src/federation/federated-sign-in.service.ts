import { Injectable } from '@nestjs/common';
import { AuditRepository } from '#libs/database';
import { AppError } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { IdentityProviderRepository } from '../identity-provider/identity-provider.repository.js';
import type { OpenProvider } from '../identity-provider/identity-provider.types.js';
import { normalizeEmail } from '../input/email.js';
import { PasswordTokenRepository } from '../password/password-token.repository.js';
import { RevocationRepository } from '../revocation/revocation.repository.js';
import {
  SessionOpenerService,
  type Beside,
  type BrowserSession,
  type OpenedSession,
  type SessionTokens,
} from '../session/session-opener.service.js';
import { SessionMetrics } from '../session/session.metrics.js';
import { TransactionRepository, type Transaction } from '../transaction/transaction.repository.js';
import { auditedChange, auditedNewUser } from '../user/audited-user.js';
import { changesRights } from '../user/changes-rights.js';
import { UserRepository } from '../user/user.repository.js';
import type { UserKey, UserRow } from '../user/user.types.js';
import { applyRules } from './apply-rules.js';
import type { ExternalIdentity } from './external-identity.js';
import { ExternalIdentityRepository } from './external-identity.repository.js';
import { FederatedSessionRepository } from './federated-session.repository.js';

export interface SignInContext {
  /** What the provider calls its own session, by which it can end ours. */
  readonly providerSession?: string | undefined;
  /** Of the session that the browser had: it ends, so that nobody goes on by an id from before the sign-in. */
  readonly sessionCookie?: string | undefined;
}

/** Refuses by what it throws, before a session is opened; nothing of the sign-in stays then. */
export type Admission = (transaction: Transaction, user: UserKey) => Promise<void>;

/** How a session is opened, and what of it is answered, when all else of the sign-in is done. */
interface Opening<Opened, Answer> {
  readonly open: (transaction: Transaction, user: UserKey, beside: Beside) => Promise<Opened | undefined>;
  readonly answer: (transaction: Transaction, user: UserKey, opened: Opened) => Promise<Answer>;
}

/**
 * Signs in whom a provider has named: finds the user, or makes or links one, sets what rules decide and opens a session, all
 * in one transaction, so that a failure leaves nothing behind. Rights come from the provider and its rules alone, never from
 * the request.
 */
@Injectable()
export class FederatedSignInService {
  constructor(
    private readonly identities: ExternalIdentityRepository,
    private readonly federated: FederatedSessionRepository,
    private readonly providers: IdentityProviderRepository,
    private readonly users: UserRepository,
    private readonly opener: SessionOpenerService,
    private readonly passwordTokens: PasswordTokenRepository,
    private readonly revocations: RevocationRepository,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly metrics: SessionMetrics,
    private readonly logger: AppLogger,
  ) {}

  /** For browsers. */
  async signInBrowser(
    provider: OpenProvider,
    identity: ExternalIdentity,
    context: SignInContext,
  ): Promise<BrowserSession> {
    const known = await this.signInKnown(provider, identity, context);
    if (known) return known;
    return this.run(provider, identity, context, {
      open: (transaction, user, beside) => this.opener.openByCookie(transaction, user, beside),
      answer: (_transaction, _user, opened) => Promise.resolve(opened),
    });
  }

  /** For clients that carry their tokens themselves. */
  async signIn(
    provider: OpenProvider,
    identity: ExternalIdentity,
    context: SignInContext,
    admit?: Admission,
  ): Promise<SessionTokens> {
    return this.run(provider, identity, context, {
      open: async (transaction, user, beside) => {
        await admit?.(transaction, user);
        return this.opener.openByToken(transaction, user, undefined, beside);
      },
      answer: (transaction, user, opened) => this.opener.tokensOf(transaction, user, opened),
    });
  }

  /**
   * Nearly all sign-ins are of somebody who is known, whose rights stay and whose browser had no session: one statement reads
   * and one writes.
   * @returns undefined where there is more to do, or a reason to refuse
   */
  private async signInKnown(
    provider: OpenProvider,
    identity: ExternalIdentity,
    context: SignInContext,
  ): Promise<BrowserSession | undefined> {
    if (context.sessionCookie !== undefined) return undefined;
    addressOf(provider, identity);
    const user = await this.identities.findUser(provider, identity.subject);
    if (!user || changesRights(user, { ...user, ...applyRules(provider.rules, identity.claims, user.attributes) })) {
      return undefined;
    }
    const opened = await this.transactions.runAlone(async (on) => {
      const session = await this.opener.openByCookie(on, user, this.besideOf(on, provider, identity, context, user));
      if (session) this.federated.wrote(on);
      return session;
    });
    if (opened) this.noteSignedIn(provider, user);
    return opened;
  }

  private async run<Opened extends OpenedSession, Answer>(
    provider: OpenProvider,
    identity: ExternalIdentity,
    context: SignInContext,
    { open, answer }: Opening<Opened, Answer>,
  ): Promise<Answer> {
    const email = addressOf(provider, identity);
    const { answered, signedIn } = await this.transactions.run(async (transaction) => {
      await this.providers.holdAsOpened(transaction, provider);
      const user = await this.userOf(transaction, provider, identity, email);
      const current = await this.rule(transaction, provider, identity, user);
      const opened = await open(transaction, current, this.besideOf(transaction, provider, identity, context, current));
      if (!opened) throw new Error('a user who is locked and enabled got no session');
      this.federated.wrote(transaction);
      if (context.sessionCookie !== undefined) {
        await this.opener.endByCookie(transaction, context.sessionCookie, 'NEW_SIGN_IN');
      }
      if (changesRights(user, current)) {
        await this.revocations.add(transaction, 'USER', [current.id]);
        await this.revocations.pass(transaction);
      }
      return { answered: await answer(transaction, current, opened), signedIn: current };
    });
    this.noteSignedIn(provider, signedIn);
    return answered;
  }

  private besideOf(
    on: Transaction,
    provider: OpenProvider,
    { subject }: ExternalIdentity,
    { providerSession }: SignInContext,
    { id: userId }: UserKey,
  ): Beside {
    return (sessionId) =>
      this.federated.besideOpening(on, provider, { subject, providerSession }, { userId, sessionId });
  }

  private noteSignedIn(provider: OpenProvider, { id: userId }: UserKey): void {
    this.metrics.signIns.inc({ outcome: 'ok' });
    this.logger.info({ userId, providerId: provider.id }, 'signed in through an identity provider');
  }

  private async userOf(
    transaction: Transaction,
    provider: OpenProvider,
    identity: ExternalIdentity,
    email: string | undefined,
  ): Promise<UserRow> {
    const { subject } = identity;
    const known = await this.known(transaction, provider, subject);
    if (known) return known;
    // Somebody's first sign-in, which another one at the same time may have finished by now.
    await this.identities.lock(transaction, provider, subject);
    const made = await this.known(transaction, provider, subject);
    if (made) return made;
    if (email === undefined) {
      throw refused('sso.email_missing', 'The provider vouches for no email address.', 'no verified address');
    }
    const { workspaceId } = provider;
    const existing = await this.users.findByEmail(transaction, workspaceId, email);
    const user = existing
      ? await this.adopt(transaction, provider, existing)
      : await this.make(transaction, provider, identity, email);
    if (await this.identities.link(transaction, provider, subject, user)) return user;
    throw refused('sso.account_exists', accountExists, `user ${user.id} is another subject of this provider`);
  }

  private async known(transaction: Transaction, provider: OpenProvider, subject: string): Promise<UserRow | undefined> {
    const key = await this.identities.lockUser(transaction, provider, subject);
    return key && enabled(await this.users.readLocked(transaction, key));
  }

  private async make(
    transaction: Transaction,
    provider: OpenProvider,
    identity: ExternalIdentity,
    email: string,
  ): Promise<UserRow> {
    const { workspaceId, rules } = provider;
    let user: UserRow;
    try {
      user = await this.users.insert(transaction, workspaceId, {
        ...{ email, name: nameOf(identity, email), passwordHash: undefined },
        ...{ roleNames: rules.roles?.default ?? [], groupNames: [], attributes: {} },
        ...applyRules(rules, identity.claims, {}),
      });
    } catch (error) {
      // Made meanwhile: through another provider, by an administrator or by SCIM.
      const existing = isEmailTaken(error) && (await this.users.findByEmail(transaction, workspaceId, email));
      if (!existing) throw error;
      return this.adopt(transaction, provider, existing);
    }
    await this.audit.add(transaction, { ...auditedNewUser(user), actor: { kind: 'USER', id: user.id } });
    return user;
  }

  /** Who is there already is linked only by a provider that is named for the address: then it decides who has it anyway. */
  private async adopt(transaction: Transaction, provider: OpenProvider, existing: UserKey): Promise<UserRow> {
    if (provider.emailDomains.length === 0) {
      throw refused('sso.account_exists', accountExists, `user ${existing.id} has this address and no domain is named`);
    }
    return enabled(await this.users.lock(transaction, existing));
  }

  private async rule(
    transaction: Transaction,
    { id, rules }: OpenProvider,
    { claims }: ExternalIdentity,
    user: UserRow,
  ): Promise<UserRow> {
    const ruled = applyRules(rules, claims, user.attributes);
    const keepsAdministrator =
      user.roleNames.includes('admin') &&
      ruled.roleNames?.includes('admin') === false &&
      !(await this.users.hasOtherAdministrator(transaction, user));
    if (keepsAdministrator) {
      this.logger.warn({ userId: user.id, providerId: id }, 'the last administrator stays one, against the rules');
    }
    const roleNames = keepsAdministrator ? [...(ruled.roleNames ?? []), 'admin'] : ruled.roleNames;
    const change = { ...ruled, ...(roleNames ? { roleNames } : {}) };
    if (!changesRights(user, { ...user, ...change })) return user;
    const changed = await this.users.update(transaction, user, change);
    await this.passwordTokens.deleteOf(transaction, [user.id]);
    await this.audit.add(transaction, { ...auditedChange(user, changed), actor: { kind: 'USER', id: user.id } });
    return changed;
  }
}

const accountExists = 'There is an account with this address that is not linked to this provider.';

/** The address that the provider vouches for. @throws AppError `sso.domain_refused` */
function addressOf({ emailDomains }: OpenProvider, { email, emailVerified }: ExternalIdentity): string | undefined {
  const address = email !== undefined && emailVerified === true ? normalizeEmail(email) : undefined;
  if (emailDomains.length === 0) return address;
  const domain = address?.slice(address.lastIndexOf('@') + 1);
  if (domain !== undefined && emailDomains.includes(domain)) return address;
  throw refused('sso.domain_refused', 'This address may not sign in here.', `the domain is ${domain ?? 'not known'}`);
}

function isEmailTaken(error: unknown): boolean {
  return error instanceof AppError && error.code === 'auth.email_taken';
}

function nameOf({ name }: ExternalIdentity, email: string): string {
  const plain =
    name
      ?.normalize('NFC')
      .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
      .trim()
      .slice(0, 200) ?? '';
  return plain === '' ? email : plain;
}

function enabled(user: UserRow): UserRow {
  if (!user.disabled) return user;
  throw refused('sso.user_disabled', 'This account is disabled.', `user ${user.id} is disabled`);
}

type Refusal = 'sso.email_missing' | 'sso.domain_refused' | 'sso.account_exists' | 'sso.user_disabled';

function refused(code: Refusal, publicMessage: string, internalMessage: string): AppError {
  return new AppError(code, publicMessage, { internalMessage });
}
