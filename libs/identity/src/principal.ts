import type { JsonObject } from '#libs/kernel';
import type { Permission } from './permissions.js';

/** What a key or a guest is confined to: these data sources with their saved queries, and these saved queries. */
export interface Reach {
  readonly dataSourceIds: readonly string[];
  readonly savedQueryIds: readonly string[];
}

/** Somebody who looks at one embedded thing and has no account. */
export interface Guest {
  /** The service account that has let it in. */
  readonly mintedById: string;
  /** Values that it cannot choose. */
  readonly parameters: JsonObject;
  /** What row policies and templates read of it. */
  readonly attributes: JsonObject;
  /** An IANA name. */
  readonly timeZone?: string | undefined;
  /** A BCP 47 tag. */
  readonly locale?: string | undefined;
}

/** Who asks, as an access token has proven. */
export interface Principal {
  readonly userId: string;
  readonly workspaceId: string;
  /** Set where the caller signed in. */
  readonly sessionId?: string;
  /** Set where the caller came with an API key. */
  readonly apiKeyId?: string;
  readonly permissions: ReadonlySet<Permission>;
  /** Names of groups. */
  readonly groups: readonly string[];
  /** Absent: confined to nothing but what it reaches anyway. */
  readonly reach?: Reach | undefined;
  /** Networks (CIDR) that it may come from, which the gateway sees. Absent: any. */
  readonly networks?: readonly string[] | undefined;
  /** Set where the caller is an embedded guest. */
  readonly guest?: Guest | undefined;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}
