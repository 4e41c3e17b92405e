import type { JsonValue } from '#libs/kernel';
import type { StatementEstimate } from '../connector/connector.js';

/** EXPLAIN without ANALYZE plans and does not run. */
export const explainPrefix = 'explain (format json) ';

export function explained(sql: string): string {
  return `${explainPrefix}${sql}`;
}

/** The members of a plan's node that are read; the server adds others. */
interface PlanNode {
  readonly 'Total Cost'?: number;
  readonly 'Plan Rows'?: number;
  readonly 'Plan Width'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** What EXPLAIN (FORMAT JSON) answers: one row with one column, a list of one plan. */
export function readPostgresPlan(rows: readonly Readonly<Record<string, unknown>>[]): StatementEstimate {
  const answer = rows[0]?.['QUERY PLAN'];
  // The driver parses what the server says is JSON.
  const [explained] = (typeof answer === 'string' ? JSON.parse(answer) : answer) as [{ Plan: PlanNode }];
  const { Plan: root } = explained;
  const rowCount = root['Plan Rows'] ?? 0;
  return {
    rows: rowCount,
    bytes: rowCount * (root['Plan Width'] ?? 0),
    cost: root['Total Cost'] ?? 0,
    largestStepRows: rowsOfLargestStep(root),
    plan: explained as unknown as JsonValue,
  };
}

/** Without recursion: the depth of a plan is the caller's choice. */
function rowsOfLargestStep(root: PlanNode): number {
  let largest = 0;
  const pending = [root];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    largest = Math.max(largest, node['Plan Rows'] ?? 0);
    for (const child of node.Plans ?? []) pending.push(child);
  }
  return largest;
}
