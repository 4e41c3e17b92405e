import type { SourceConnection } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import type { StatementEstimate } from '../connector/connector.js';

/** Above any of these a run is refused before it begins at its source. */
export interface CostCeiling {
  readonly rows: number;
  readonly cost: number;
}

/** Undefined where the owner of the source has set none: then nothing is asked. */
export function ceilingOf(source: SourceConnection | undefined): CostCeiling | undefined {
  const { maxEstimatedRows: rows, maxEstimatedCost: cost } = source?.options ?? {};
  if (typeof rows !== 'number' && typeof cost !== 'number') return undefined;
  return { rows: typeof rows === 'number' ? rows : Infinity, cost: typeof cost === 'number' ? cost : Infinity };
}

/**
 * @param isGoverned whether row policies hide rows of what is read: the planner has seen those rows, so its number is not told
 * @throws AppError run.too_expensive
 */
export function assertBelow(ceiling: CostCeiling, estimate: StatementEstimate, isGoverned: boolean): void {
  const { cost = 0, largestStepRows = 0 } = estimate;
  if (cost > ceiling.cost) throw tooExpensive('cost', cost, ceiling.cost, isGoverned);
  if (largestStepRows > ceiling.rows) throw tooExpensive('rows', largestStepRows, ceiling.rows, isGoverned);
}

function tooExpensive(what: 'cost' | 'rows', estimated: number, ceiling: number, isGoverned: boolean): AppError {
  const told = isGoverned ? '' : ` of ${formatted(estimated)}`;
  const subject = what === 'cost' ? `a cost${told}` : `a step${told === '' ? '' : `${told} rows`}`;
  return new AppError(
    'run.too_expensive',
    `The data source estimates ${subject}, above its ceiling of ${formatted(ceiling)}. ` +
      'Narrow the query, or ask somebody with the permission expensive_query.run to run it.',
  );
}

function formatted(count: number): string {
  return count.toLocaleString('en-US', { maximumFractionDigits: 0 });
}
