import type { JsonValue } from '#libs/kernel';
import type { StatementEstimate } from '../connector/connector.js';

/** The members of a plan's node that are read. */
interface PlanNode {
  readonly name: string;
  readonly children?: readonly PlanNode[];
  readonly extra_info?: { readonly 'Estimated Cardinality'?: string; readonly Top?: string };
}

const product = (counts: readonly number[]): number => counts.reduce((left, right) => left * right, 1);
const sum = (counts: readonly number[]): number => counts.reduce((left, right) => left + right, 0);

/** Steps of which EXPLAIN tells no number, or none that is one, by what comes out of the steps below. */
const rowsOfKind: Readonly<Record<string, (below: readonly number[], node: PlanNode) => number>> = {
  CROSS_PRODUCT: product,
  BLOCKWISE_NL_JOIN: product,
  NESTED_LOOP_JOIN: product,
  UNION: sum,
  EMPTY_RESULT: () => 0,
  DUMMY_SCAN: () => 1,
  UNGROUPED_AGGREGATE: () => 1,
  TOP_N: (below, { extra_info: info }) => Math.min(Math.max(0, ...below), Number(info?.Top ?? Infinity)),
};

/**
 * What EXPLAIN (FORMAT JSON) answers: the physical plan as text. DuckDB has no cost, and no width of its rows. Its numbers
 * leave out the very steps that grow, so those are reckoned here; of a LIMIT it does not say how far it goes.
 */
export function readDuckdbPlan(text: string): StatementEstimate {
  const plan = JSON.parse(text) as PlanNode[];
  const rows = rowsBySteps(plan);
  return {
    rows: Math.max(0, ...plan.map((root) => rows.get(root) ?? 0)),
    largestStepRows: [...rows.values()].reduce((left, right) => Math.max(left, right), 0),
    plan: plan as unknown as JsonValue,
  };
}

/** Without recursion: the depth of a plan is the caller's choice. */
function rowsBySteps(roots: readonly PlanNode[]): ReadonlyMap<PlanNode, number> {
  const steps: PlanNode[] = [];
  const pending = [...roots];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    steps.push(node);
    for (const child of node.children ?? []) pending.push(child);
  }
  const rows = new Map<PlanNode, number>();
  // A step stands in front of all that are below it.
  for (const node of steps.reverse()) {
    const below = (node.children ?? []).map((child) => rows.get(child) ?? 0);
    const told = Number(node.extra_info?.['Estimated Cardinality'] ?? 0);
    rows.set(node, told > 0 ? told : (rowsOfKind[node.name]?.(below, node) ?? Math.max(0, ...below)));
  }
  return rows;
}
