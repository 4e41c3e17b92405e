import type { RunPlan } from '#libs/contracts';
import { AppError } from '#libs/kernel';

/**
 * Codes of sources that are about the statement's names and grammar: PostgreSQL's class 42, and DuckDB's kinds. Those speak of
 * no row.
 */
const aboutStatement = /^(?:42[0-9A-Z]{3}|Binder|Catalog|Parser|Syntax|Out of Memory)$/;
const place = / \(line \d+(?:, column \d+)?\)/;

/** Whether row policies stand inside of the plan's statement. */
export function isGoverned({ reach }: Pick<RunPlan, 'reach'>): boolean {
  return reach?.relations.some(({ policyIds }) => policyIds.length > 0) ?? false;
}

/**
 * What whoever asked is told of a source's error where row policies are inside of the statement. A predicate is computed for
 * rows that it then hides, and where that fails the source says their values. Places are those of a text that the caller
 * may not see.
 */
export function governedError(error: unknown, plan: Pick<RunPlan, 'reach'>): unknown {
  if (!(error instanceof AppError) || error.code !== 'run.query_failed' || !isGoverned(plan)) return error;
  const sourceCode = error.details?.['sourceCode'];
  const message =
    typeof sourceCode === 'string' && aboutStatement.test(sourceCode)
      ? withoutPlace(error.publicMessage)
      : 'The data source could not compute a value. Its own message is not told where row policies apply.';
  return new AppError(error.code, message, { details: error.details, cause: error });
}

/** A source's message for somebody who knows another text than the source does. */
export function withoutPlace(message: string): string {
  return message.replace(place, '');
}
