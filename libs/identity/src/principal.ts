import type { Permission } from './permissions.js';

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
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}
