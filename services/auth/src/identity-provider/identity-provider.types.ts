import type { IdentityProvider } from '#libs/contracts';
import type { JsonObject } from '#libs/kernel';
import type { IdentityRules } from './identity-rules.js';

export type ProviderKindName = IdentityProvider['kind'];

/** A provider as it is kept. */
export interface ProviderRow {
  readonly id: string;
  readonly workspaceId: string;
  readonly name: string;
  readonly nameKey: string;
  readonly kind: ProviderKindName;
  readonly enabled: boolean;
  readonly options: JsonObject;
  readonly secretNames: string[];
  readonly sealedSecrets: string | null;
  readonly emailDomains: string[];
  readonly rules: IdentityRules;
  readonly version: number;
  readonly createdAt: Date;
  /** Another after each change of the row, whoever makes it (xmin). */
  readonly rowState: string;
}

/** What is absent stays. */
export type ProviderChange = Partial<
  Pick<
    ProviderRow,
    'name' | 'nameKey' | 'enabled' | 'options' | 'secretNames' | 'sealedSecrets' | 'emailDomains' | 'rules'
  >
>;

/** A provider as its kind works with it: options and secrets together, checked by the kind's own schema. */
export interface OpenProvider<Options = unknown> {
  readonly id: string;
  readonly workspaceId: string;
  readonly name: string;
  readonly kind: ProviderKindName;
  readonly emailDomains: readonly string[];
  readonly rules: IdentityRules;
  readonly version: number;
  readonly rowState: string;
  readonly options: Options;
}
