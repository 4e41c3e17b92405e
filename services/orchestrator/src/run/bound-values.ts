import type { RunPlan } from '#libs/contracts';
import type { BoundValue, ReachPremises, ReadRelation } from '#libs/sql';

/** The values of a run as its row keeps them: pairs of type and value, as `keyOfValues` writes them. */
export type StoredValues = readonly (readonly [type: string, value: string | null])[];

export function fromStoredValues(stored: StoredValues): RunPlan['values'] {
  return stored.map(([type, value]) => (value === null ? { type } : { type, value }));
}

export function toPlanValues(values: readonly BoundValue[]): RunPlan['values'] {
  return values.map(({ type, value }) => (value === null ? { type } : { type, value }));
}

export function toPlanReach({ relations, governed }: ReachPremises): NonNullable<RunPlan['reach']> {
  const copy = (relation: ReadRelation) => {
    const { schema, name, writtenSchema, policyIds } = relation;
    return { schema, name, writtenSchema, policyIds: [...policyIds] };
  };
  return { relations: relations.map(copy), governed: governed.map(copy) };
}
