import { Injectable } from '@nestjs/common';
import { AppError, delay } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import type { ProofInput } from '../account/password-proof.service.js';
import { FederatedSignInService, type Admission } from '../federation/federated-sign-in.service.js';
import { IdentityProviderService } from '../identity-provider/identity-provider.service.js';
import type { OpenProvider } from '../identity-provider/identity-provider.types.js';
import { Slots } from '../password/slots.js';
import { slugPattern } from '../workspace/slug.js';
import { LdapDirectoryClient, type LdapPerson } from './ldap-directory.client.js';
import { normalizeLogin } from './ldap-login.js';
import { LdapProviderRepository } from './ldap-provider.repository.js';
import type { LdapOptions } from './ldap-options.js';

/** A directory's no takes longer for a user whom it has; this is longer than either. */
const refusalMs = 1_000;
const slots = { running: 20, waiting: 200 } as const;

type SignedIn = Awaited<ReturnType<FederatedSignInService['signIn']>>;

/** Signs in by the password that a directory knows, where Sluice itself knows none that fits. */
@Injectable()
export class LdapSignInService {
  private readonly slots = new Slots(slots.running, slots.waiting, tooMany);

  constructor(
    private readonly known: LdapProviderRepository,
    private readonly providers: IdentityProviderService,
    private readonly directory: LdapDirectoryClient,
    private readonly signIns: FederatedSignInService,
    private readonly logger: AppLogger,
  ) {}

  /**
   * Undefined where no directory confirms the password.
   * @throws AppError `sso.provider_unavailable` where none does and one could not be asked
   */
  async signIn(
    { email: typed, password, workspace: workspaceSlug }: Pick<ProofInput, 'email' | 'password' | 'workspace'>,
    admit: Admission,
  ): Promise<SignedIn | undefined> {
    if (workspaceSlug !== undefined && !slugPattern.test(workspaceSlug)) return undefined;
    const ids = await this.known.findFor(workspaceSlug);
    if (ids.length === 0) return undefined;
    const begun = performance.now();
    const found = await this.slots.run(() => this.firstThatKnows(ids, normalizeLogin(typed), password));
    if (found.person) return this.signIns.signIn(found.provider, toIdentity(found.person), {}, admit);
    await delay(Math.max(0, refusalMs - (performance.now() - begun)));
    if (found.isUnavailable) throw unavailable();
    return undefined;
  }

  private async firstThatKnows(ids: readonly string[], login: string | undefined, password: string): Promise<Found> {
    let isUnavailable = false;
    for (const id of ids) {
      const provider = await this.open(id);
      try {
        const person = login && (await this.directory.authenticate(provider.options, login, password));
        if (person) return { provider, person };
      } catch (err) {
        isUnavailable = true;
        this.logger.warn({ err, providerId: id }, 'a directory could not be asked');
      }
    }
    return { isUnavailable };
  }

  private async open(id: string): Promise<OpenProvider<LdapOptions>> {
    const { provider } = await this.providers.open(id);
    // The kind's own schema has read the options, and the query names the kind.
    return provider as OpenProvider<LdapOptions>;
  }
}

type Found =
  | { readonly person: LdapPerson; readonly provider: OpenProvider }
  | { readonly person?: undefined; readonly isUnavailable: boolean };

function toIdentity({ subject, email, name, claims }: LdapPerson): Parameters<FederatedSignInService['signIn']>[1] {
  // The directory's administrators decide who has which address.
  return { subject, email, emailVerified: true, name, claims };
}

function unavailable(): AppError {
  return new AppError('sso.provider_unavailable', 'The directory cannot be asked at this moment. Try again later.', {
    retryable: true,
  });
}

function tooMany(): AppError {
  return new AppError('auth.throttled', 'Too many are signing in at this moment. Try again soon.', {
    retryable: true,
    retryAfterSeconds: 2,
  });
}
