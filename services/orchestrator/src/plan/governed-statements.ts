import { LRUCache } from 'lru-cache';
import type { CompiledQuery, CompileInput, SourcePolicies } from '#libs/sql';

/** Characters of all statements that are kept with their policies. */
const charactersMax = 5_000_000;

/** Statements with the policies inside of them, kept for equal questions of equal callers under the very same policies. */
export class GovernedStatements {
  private readonly numbers = new WeakMap<SourcePolicies, number>();
  private count = 0;
  private readonly known = new LRUCache<string, CompiledQuery>({
    maxSize: charactersMax,
    sizeCalculation: ({ sql }, key) => key.length + sql.length + 1_000,
  });

  /** @throws AppError what SourcePolicies throws; a refusal is not remembered */
  async compile(policies: SourcePolicies, input: CompileInput): Promise<CompiledQuery> {
    // All that the outcome hangs on: who asks is part of it to the last attribute.
    const key = JSON.stringify([this.numberOf(policies), input.sql, input.valueCount, input.caller ?? null]);
    const known = this.known.get(key);
    if (known) return known;
    const compiled = await policies.compile(input);
    this.known.set(key, compiled);
    return compiled;
  }

  private numberOf(policies: SourcePolicies): number {
    const known = this.numbers.get(policies);
    if (known !== undefined) return known;
    this.count += 1;
    this.numbers.set(policies, this.count);
    return this.count;
  }
}
