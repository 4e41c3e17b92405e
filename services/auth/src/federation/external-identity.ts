import type { JsonValue } from '#libs/kernel';

/** Somebody as a provider has named him, proven: what a kind of provider makes of an answer that it has checked. */
export interface ExternalIdentity {
  /** Who it is at this provider, for ever; never an address or a name, which get other owners. */
  readonly subject: string;
  readonly email?: string | undefined;
  /** Whether the provider vouches for the address. One that nobody vouches for counts for nothing. */
  readonly emailVerified?: boolean | undefined;
  readonly name?: string | undefined;
  /** What rules read. */
  readonly claims: Readonly<Record<string, JsonValue>>;
}
