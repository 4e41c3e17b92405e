import type { RunPlan } from '#libs/contracts';
import type { BoundValue, ReachPremises, ReadRelation } from '#libs/sql';

/** The values of a run as its row keeps them; a third part is what a secret is sealed as, in place of its value. */
export type StoredValues = readonly (
  readonly [type: string, value: string | null] | readonly [type: string, value: null, sealed: string]
)[];

export function fromStoredValues(stored: StoredValues): RunPlan['values'] {
  return stored.map(([type, value, sealed]) => {
    if (sealed !== undefined) return { type, sealed };
    return value === null ? { type } : { type, value };
  });
}

export function toStoredValues(values: RunPlan['values']): StoredValues {
  return values.map(({ type, value = null, sealed }) => (sealed === undefined ? [type, value] : [type, null, sealed]));
}

/** For a message that lives as long as it is sent; what may be governed, and so hold a secret, is not sent so. */
export function toPlanValues(values: readonly BoundValue[]): RunPlan['values'] {
  return values.map(({ type, value, isSecret }) => {
    if (isSecret) throw new Error('a secret value was about to be sent in the clear');
    return value === null ? { type } : { type, value };
  });
}

export function toPlanReach({ relations, governed }: ReachPremises): NonNullable<RunPlan['reach']> {
  const copy = (relation: ReadRelation) => {
    const { schema, name, writtenSchema, policyIds } = relation;
    return { schema, name, writtenSchema, policyIds: [...policyIds] };
  };
  return { relations: relations.map(copy), governed: governed.map(copy) };
}
