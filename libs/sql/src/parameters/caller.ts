import type { BoundValue } from './bound-value.js';

/** An attribute of a person or key, as the identity provider or an administrator gave it; never out of a request. */
export type AttributeValue = BoundValue | readonly BoundValue[];

/** Whoever asks, as `{{ user.id }}`, `{{ user.email }}`, `{{ user.groups }}` and `{{ user.<attribute> }}` read them. */
export interface TemplateCaller {
  readonly id: string;
  /** Null where nobody is known by the id. */
  readonly email: string | null;
  readonly groups: readonly string[];
  /** By name; id, email and groups are never looked for here. */
  readonly attributes: ReadonlyMap<string, AttributeValue>;
}
