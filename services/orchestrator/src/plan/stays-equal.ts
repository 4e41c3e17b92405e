import type { ParameterDefinition } from '#libs/sql';
import type { QueryPlan } from './query-plan.js';

/** Relative dates change at minutes alone. */
const minuteMs = 60_000;
/** More than a gateway repeats a hit for. */
const repeatedMsMax = 10_000;

/** Whether the same words come to the same values for as long as a hit is repeated without being planned. */
export function staysEqual(
  definitions: readonly ParameterDefinition[],
  { parameters }: Pick<QueryPlan, 'parameters'>,
  nowMs: number,
): boolean {
  // What an options query answers may change at any time.
  if (definitions.some(({ optionsQueryId }) => optionsQueryId)) return false;
  if (Object.keys(parameters).length === 0) return true;
  return Math.floor(nowMs / minuteMs) === Math.floor((nowMs + repeatedMsMax) / minuteMs);
}
