import { serviceContext, type BusClient } from '#libs/bus';
import { authRequests, type Revocation, type ServiceName } from '#libs/contracts';

export interface RevocationList {
  readonly revision: number;
  readonly revocations: readonly Revocation[];
  /** The authority's time when it answered. */
  readonly now: Date | undefined;
}

/** Who knows which keys sign tokens and which tokens are no longer good. */
export interface IdentityAuthority {
  /** A JSON Web Key Set. */
  signingKeys(): Promise<string>;
  revocations(afterRevision: number): Promise<RevocationList>;
}

const ttlMs = 5_000;

/** Asks the service auth, over the bus, as this service. */
export class BusIdentityAuthority implements IdentityAuthority {
  constructor(
    private readonly bus: BusClient,
    private readonly service: ServiceName | 'gateway',
  ) {}

  async signingKeys(): Promise<string> {
    const context = serviceContext(this.service, '');
    return (await this.bus.request(authRequests.getSigningKeys, {}, { context, ttlMs })).jwksJson;
  }

  async revocations(afterRevision: number): Promise<RevocationList> {
    const context = serviceContext(this.service, '');
    const { revision, revocations, now } = await this.bus.request(
      authRequests.listRevocations,
      { afterRevision },
      { context, ttlMs },
    );
    return { revision, revocations, now };
  }
}
