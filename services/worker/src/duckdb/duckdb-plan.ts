import type { JsonValue } from '#libs/kernel';
import type { StatementEstimate } from '../connector/connector.js';

/** The members of a plan's node that are read. */
interface PlanNode {
  readonly children?: readonly PlanNode[];
  readonly extra_info?: { readonly 'Estimated Cardinality'?: string };
}

/**
 * What EXPLAIN (FORMAT JSON) answers: the physical plan as text. DuckDB has no cost, and no width of its rows; of steps such as
 * a sort it tells no number either, so that of the first step below counts.
 */
export function readDuckdbPlan(text: string): StatementEstimate {
  const plan = JSON.parse(text) as PlanNode[];
  const counts = rowsOfSteps(plan);
  return {
    rows: counts.find((rows) => rows > 0) ?? 0,
    largestStepRows: Math.max(0, ...counts),
    plan: plan as unknown as JsonValue,
  };
}

/** From the answer down. Without recursion: the depth of a plan is the caller's choice. */
function rowsOfSteps(roots: readonly PlanNode[]): number[] {
  const found: number[] = [];
  const pending = [...roots].reverse();
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const cardinality = node.extra_info?.['Estimated Cardinality'];
    if (cardinality !== undefined) found.push(Number(cardinality));
    pending.push(...[...(node.children ?? [])].reverse());
  }
  return found;
}
