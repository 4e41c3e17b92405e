/** Begins each entry of the log, and stands nowhere in one. */
const mark = '@@plan-log@@';

/** Settings with which PostgreSQL logs the plan of each statement, also of those inside of functions, with what it read. */
export const planLogFlags = [
  ['shared_preload_libraries', 'auto_explain'],
  ['auto_explain.log_min_duration', '0'],
  ['auto_explain.log_nested_statements', 'on'],
  ['auto_explain.log_analyze', 'on'],
  ['auto_explain.log_timing', 'off'],
  ['auto_explain.log_format', 'json'],
  ['log_line_prefix', mark],
].flatMap(([name, value]) => ['-c', `${name}=${value}`]);

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly Plans?: readonly PlanNode[];
}

export interface TableRead {
  readonly statement: string;
  readonly table: string;
  readonly by: string;
  /** Rows that were looked at, whether or not they were given on. */
  readonly rows: number;
}

/** What statements have read of tables, by the plans in the log of a server with `planLogFlags`. */
export class PlanLog {
  private text = '';

  /** For the server's `onLog`. */
  readonly hear = (text: string): void => {
    this.text += text;
  };

  /** Whether an entry with this text has come whole. */
  has(text: string): boolean {
    return this.text.includes(text) && this.text.endsWith('}\n');
  }

  /** What was read since the last time. */
  take(): TableRead[] {
    const entries = this.text.split(mark);
    this.text = '';
    return entries.flatMap((entry) => {
      const at = entry.indexOf('plan:\n');
      if (at < 0) return [];
      // Written by PostgreSQL, whose lines after the first begin with a tab.
      const { 'Query Text': statement, Plan: plan } = JSON.parse(entry.slice(at + 6)) as {
        'Query Text': string;
        Plan: PlanNode;
      };
      return readsOf(plan, statement);
    });
  }
}

function readsOf(node: PlanNode, statement: string): TableRead[] {
  const { 'Relation Name': table, 'Node Type': by, 'Actual Loops': loops } = node;
  const children = (node.Plans ?? []).flatMap((child) => readsOf(child, statement));
  // What writes a table has it for its name too, and reads it by a node of its own.
  if (table === undefined || by === 'ModifyTable') return children;
  const removed = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
  return [{ statement, table, by, rows: Math.round((node['Actual Rows'] + removed) * loops) }, ...children];
}
