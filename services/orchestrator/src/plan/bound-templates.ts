import { LRUCache } from 'lru-cache';
import { bindTemplate, keyOfValues, type BoundTemplate, type SqlDialect } from '#libs/sql';
import type { PlanInput } from './query-plan.js';

/** Relative dates change at minutes alone. */
const minuteMs = 60_000;
/** Characters of questions and of what they came to. */
const keptCharactersMax = 10_000_000;

/** What templates came to, for as long as an equal question comes to the same. */
export class BoundTemplates {
  private readonly known = new LRUCache<string, BoundTemplate>({
    maxSize: keptCharactersMax,
    sizeCalculation: ({ sql, values }, key) => key.length + sql.length + keyOfValues(values).length + 200,
  });

  /** @throws AppError as `bindTemplate` does */
  bind(input: PlanInput, dialect: SqlDialect): BoundTemplate {
    const key = keyOf(input, dialect);
    const known = this.known.get(key);
    if (known) return known;
    const bound = bindTemplate({ ...input, dialect });
    this.known.set(key, bound);
    return bound;
  }
}

/** Everything that a template can read. */
function keyOf(input: PlanInput, dialect: SqlDialect): string {
  const { text, definitions, given, caller, timeZone, nowMs, queryOptions } = input;
  const { id, email, groups, attributes } = caller;
  const minute = Math.floor(nowMs / minuteMs);
  return JSON.stringify([
    ...[dialect, text, definitions, given, id, email, groups, [...attributes], timeZone, minute],
    [...(queryOptions ?? [])],
  ]);
}
