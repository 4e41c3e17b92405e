import type { JsonObject } from '#libs/kernel';

/** A user as auth has it; the password's hash stays in its repository. */
export interface UserRow {
  readonly id: string;
  readonly workspaceId: string;
  /** Null: a service account, which has none. */
  readonly email: string | null;
  readonly name: string;
  readonly nameKey: string;
  readonly roleNames: string[];
  /** What its custom roles allow. A permission of a newer release may be among them. */
  readonly customPermissions: string[];
  readonly groupNames: string[];
  readonly attributes: JsonObject;
  readonly disabled: boolean;
  readonly version: number;
  readonly createdAt: Date;
}

export interface NewUser {
  readonly email: string;
  readonly name: string;
  readonly passwordHash: string | undefined;
  readonly roleNames: readonly string[];
  readonly groupNames: readonly string[];
  readonly attributes: JsonObject;
}

/** What is absent stays. */
export interface UserChange {
  readonly name?: string;
  readonly roleNames?: readonly string[];
  readonly groupNames?: readonly string[];
  readonly attributes?: JsonObject;
  readonly disabled?: boolean;
}

/** A user as a caller names it: within a workspace. */
export interface UserKey {
  readonly workspaceId: string;
  readonly id: string;
}
