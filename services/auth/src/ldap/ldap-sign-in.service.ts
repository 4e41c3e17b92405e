import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { AppError, delay } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { wrongCredentials, type ProofInput } from '../account/password-proof.service.js';
import type { AuthConfig } from '../auth.config.js';
import { FederatedSignInService, type Admission } from '../federation/federated-sign-in.service.js';
import { IdentityProviderService } from '../identity-provider/identity-provider.service.js';
import type { OpenProvider } from '../identity-provider/identity-provider.types.js';
import { SignInFailures } from '../session/sign-in-failures.service.js';
import { slugPattern } from '../workspace/slug.js';
import { DirectorySlots } from './directory-slots.js';
import { LdapDirectoryClient, type LdapPerson } from './ldap-directory.client.js';
import { normalizeLogin } from './ldap-login.js';
import { LdapProviderRepository } from './ldap-provider.repository.js';
import type { LdapOptions } from './ldap-options.js';

/** A directory's no takes longer for a user whom it has; this is longer than either. */
const refusalMs = 1_000;
const noMatch = wrongCredentials();

type SignedIn = Awaited<ReturnType<FederatedSignInService['signIn']>>;

/** Signs in by the password that a directory knows, where Sluice itself knows none that fits. */
@Injectable()
export class LdapSignInService {
  private readonly slots = new DirectorySlots();

  constructor(
    private readonly known: LdapProviderRepository,
    private readonly providers: IdentityProviderService,
    private readonly directory: LdapDirectoryClient,
    private readonly signIns: FederatedSignInService,
    private readonly failures: SignInFailures,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'providers'>,
  ) {}

  /** The directories that `signIn` asks. */
  async findFor(workspaceSlug: string | undefined): Promise<string[]> {
    if (workspaceSlug !== undefined && !slugPattern.test(workspaceSlug)) return [];
    return this.known.findFor(workspaceSlug);
  }

  /**
   * Undefined where no directory confirms the password.
   * @throws AppError `sso.provider_unavailable` where none does and one could not be asked
   */
  async signIn(
    ids: readonly string[],
    { email: typed, password, workspace: workspaceSlug }: Pick<ProofInput, 'email' | 'password' | 'workspace'>,
    admit: Admission,
  ): Promise<SignedIn | undefined> {
    if (ids.length === 0) return undefined;
    const begun = performance.now();
    const endsAt = begun + this.config.providers.timeoutMs;
    const found = await this.slots.run(workspaceSlug ?? '', () =>
      this.firstThatKnows(ids, normalizeLogin(typed), password, endsAt),
    );
    if (found.person) return this.signInBy(found.provider, found.person, admit);
    for (const { provider, refusal } of found.refusals) this.failures.noteAtProvider(provider, refusal);
    await delay(Math.max(0, refusalMs - (performance.now() - begun)));
    if (found.refusals.some(({ refusal }) => refusal !== noMatch)) throw unavailable();
    return undefined;
  }

  private async signInBy(provider: OpenProvider, person: LdapPerson, admit: Admission): Promise<SignedIn> {
    try {
      return await this.signIns.signIn(provider, toIdentity(person), {}, admit);
    } catch (error) {
      // What is missing is no failure, and a wrong second factor is told of the user.
      if (!isOfSecondFactor(error)) this.failures.noteAtProvider(provider, error);
      throw error;
    }
  }

  /** One time for all directories, of which each has its share: one that is silent leaves time to the next. */
  private async firstThatKnows(
    ids: readonly string[],
    login: string | undefined,
    password: string,
    endsAt: number,
  ): Promise<Found> {
    const refusals: Refusal[] = [];
    for (const [index, id] of ids.entries()) {
      const provider = await this.open(id);
      if (!provider) continue;
      const shareMs = (endsAt - performance.now()) / (ids.length - index);
      const signal = AbortSignal.timeout(Math.max(0, Math.floor(shareMs)));
      try {
        const person = login && (await this.directory.authenticate(provider.options, login, password, signal));
        if (person) return { provider, person };
        refusals.push({ provider, refusal: noMatch });
      } catch (err) {
        refusals.push({ provider, refusal: unavailable() });
        this.logger.warn({ err, providerId: id }, 'a directory could not be asked');
      }
    }
    return { refusals };
  }

  /** Undefined where it was disabled or deleted since it was found: then it is not there, and the others are. */
  private async open(id: string): Promise<OpenProvider<LdapOptions> | undefined> {
    try {
      const { provider } = await this.providers.open(id);
      // The kind's own schema has read the options, and the query names the kind.
      return provider as OpenProvider<LdapOptions>;
    } catch (error) {
      if (error instanceof AppError && error.code === 'identity_provider.not_found') return undefined;
      throw error;
    }
  }
}

interface Refusal {
  readonly provider: OpenProvider;
  /** Why it confirms nobody: there is no such user with this password, or it cannot be asked. */
  readonly refusal: AppError;
}

type Found =
  | { readonly person: LdapPerson; readonly provider: OpenProvider }
  | { readonly person?: undefined; readonly refusals: readonly Refusal[] };

function toIdentity({ subject, email, name, claims }: LdapPerson): Parameters<FederatedSignInService['signIn']>[1] {
  // The directory's administrators decide who has which address.
  return { subject, email, emailVerified: true, name, claims };
}

function isOfSecondFactor(error: unknown): boolean {
  return error instanceof AppError && error.code.startsWith('auth.second_factor_');
}

function unavailable(): AppError {
  return new AppError('sso.provider_unavailable', 'The directory cannot be asked at this moment. Try again later.', {
    retryable: true,
  });
}
