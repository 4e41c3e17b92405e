import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { AppError } from '#libs/kernel';
import { assertProvableText } from '../sql-text.js';
import type { SqlDialect } from '../prove-read-only.js';
import { applicablePolicies } from './applicable-policies.js';
import { fenceAlias, fenceText, isFenceOf } from './fence.js';
import { planFence, type PlannedFence } from './fence-plan.js';
import { GovernedTables, type GovernedList } from './governed-tables.js';
import { PlaceholderList } from './placeholder-list.js';
import type { PolicyDialect, Reference } from './policy-dialect.js';
import { policyDialects } from './policy-dialects.js';
import { policyRejection } from './policy-rejection.js';
import type { CompiledQuery, KnownTable, PolicyCaller, ReadRelation, RowPolicy } from './policy-types.js';
import { parseExpression } from './predicate.js';
import { SourceCatalog, type CatalogTable } from './source-catalog.js';
import { spliceFences } from './splice.js';
import { writtenTables } from '../tables-read.js';
import { isSameTree, nodesOf, type TreeNode } from './syntax-tree.js';

export interface SourcePoliciesOptions {
  readonly dialect: SqlDialect;
  /** The enabled policies of the source. */
  readonly policies: readonly RowPolicy[];
  readonly tables: readonly KnownTable[];
  /** The schemas in which the source looks a name up that has none, in order. */
  readonly searchPath: readonly string[];
  /** The one catalog (database) that the source reads, where it is known. */
  readonly catalog?: string | undefined;
  /** See ProofOptions. */
  readonly allowedFunctions?: readonly string[] | undefined;
  /** Secret of the workspace: without it a HASH mask could be undone by hashing what its column may hold. */
  readonly maskKey: string;
}

export interface CompileInput {
  /** May hold `$1` to `$n`. */
  readonly sql: string;
  /** How many values the query has already. */
  readonly valueCount?: number | undefined;
  /** Absent: nobody is known to ask, and every policy lets nothing through. */
  readonly caller: PolicyCaller | undefined;
}

/** Parsed predicates and fences that are kept; a text is some hundred bytes, its tree a few KiB. */
const keptTreesMax = 500;

/**
 * The row policies of one source as they and its tables stand: made once for each revision of either, kept, and
 * asked for each query.
 */
export class SourcePolicies {
  readonly #dialect: PolicyDialect;
  readonly #catalog: SourceCatalog;
  readonly #extraFunctions: ReadonlySet<string>;
  readonly #governed: GovernedTables;
  /** By id, so that equal policies make equal texts. */
  readonly #policies: readonly RowPolicy[];
  readonly #expressions = new LRUCache<string, Promise<unknown>>({ max: keptTreesMax });
  readonly #fences = new LRUCache<string, TreeNode>({ max: keptTreesMax });

  constructor(private readonly options: SourcePoliciesOptions) {
    this.#dialect = policyDialects[options.dialect];
    this.#policies = [...options.policies].sort((left, right) => (left.id < right.id ? -1 : 1));
    this.#catalog = new SourceCatalog(options);
    this.#extraFunctions = new Set(options.allowedFunctions);
    this.#governed = new GovernedTables(this.#catalog, this.#dialect, (text, valueCount) =>
      this.#parseExpression(text, valueCount),
    );
  }

  /**
   * Proves that a statement only reads and puts the policies that apply to the caller inside of it.
   * @throws AppError what proveReadOnly throws for the statement itself; sql.rejected, with one message for all
   * readers and the reason in `details`, for what the policies cannot be put into
   */
  async compile({ sql, valueCount = 0, caller }: CompileInput): Promise<CompiledQuery> {
    assertProvableText(sql);
    const premises = { extraFunctions: this.#extraFunctions, valueCount };
    const statement = this.#dialect.prove(await this.#dialect.parse(sql), premises);
    const references = this.#dialect.references(statement);
    const policies = applicablePolicies(this.#policies, caller);
    if (policies.length === 0) return this.#unchanged(sql, references);
    try {
      return await this.#fenced(sql, statement, references, policies, caller, valueCount);
    } catch (error) {
      throw asRejection(error);
    }
  }

  #unchanged(sql: string, references: readonly Reference[]): CompiledQuery {
    return { sql, values: [], tables: writtenTables(references), policyIds: [], closedPolicyIds: [], fingerprint: '' };
  }

  async #fenced(
    sql: string,
    statement: TreeNode,
    references: readonly Reference[],
    policies: readonly RowPolicy[],
    caller: PolicyCaller | undefined,
    valueCount: number,
  ): Promise<CompiledQuery> {
    // Only an escape such as U&"\0073…" could hide the name from a look at the text; the tree has it in the clear.
    if (mayHoldFenceAlias.test(sql)) assertNoFenceAlias(statement);
    const inquiry = this.#dialect.inquiry(statement, sql, this.#extraFunctions);
    if (inquiry !== undefined) throw policyRejection(`The function ${inquiry} tells of tables past their policies.`);
    const placeholders = new PlaceholderList(valueCount);
    const fences = new Map<Reference, string>();
    const replaced = new Map<unknown, unknown>();
    const planned = new Map<string, PlannedFence>();
    const relations: ReadRelation[] = [];
    // From left to right, so that numbers do not depend on how a tree was walked.
    const inOrder = [...references].sort((left, right) => (left.location ?? 0) - (right.location ?? 0));
    for (const reference of inOrder) {
      if (this.#dialect.isHarmlessCatalog(reference)) continue;
      const table = this.#catalog.resolve(reference);
      if (!table) throw policyRejection(`The table ${JSON.stringify(reference.name)} is not known.`);
      const governing = await this.#governed.policiesOf(table, policies);
      relations.push(readRelation(reference, table, governing));
      if (governing.length === 0) continue;
      if (reference.refusal !== undefined) throw policyRejection(reference.refusal);
      const key = `${reference.isOnly} ${table.key}`;
      const plan = planned.get(key) ?? (await this.#plan(reference, table, governing, caller, placeholders));
      planned.set(key, plan);
      const text = fenceText(plan);
      fences.set(reference, text);
      replaced.set(reference.node, this.#dialect.fenced(reference, await this.#fence(plan, text)));
    }
    const compiled = spliceFences(sql, fences);
    if (fences.size > 0) await this.#assertCompiled(compiled, statement, replaced);
    const used = [...planned.values()];
    const governed = await this.#governed.tablesOf(policies);
    return {
      sql: compiled,
      values: placeholders.values,
      tables: writtenTables(inOrder),
      policyIds: sortedIds(used.flatMap((plan) => plan.policyIds)),
      closedPolicyIds: sortedIds(used.flatMap((plan) => plan.closedPolicyIds)),
      fingerprint: fingerprintOf({ planned: [...planned], fences, placeholders, relations, governed }),
      reach: { relations, governed: governed.relations },
    };
  }

  #plan(
    reference: Reference,
    table: CatalogTable,
    policies: readonly RowPolicy[],
    caller: PolicyCaller | undefined,
    placeholders: PlaceholderList,
  ): Promise<PlannedFence> {
    return planFence({
      table,
      isOnly: reference.isOnly,
      policies,
      caller,
      placeholders,
      maskKey: this.options.maskKey,
      dialect: this.#dialect,
      predicateOf: (policy) => this.#governed.predicateOf(policy),
      parse: (text) => this.#parseExpression(text, Number.MAX_SAFE_INTEGER),
    });
  }

  /** The tree of a fence, once it is proven to be the plan and nothing else. */
  async #fence(plan: PlannedFence, text: string): Promise<TreeNode> {
    const kept = this.#fences.get(text);
    if (kept) return kept;
    const [fence, ...others] = await this.#dialect.parse(text);
    if (!fence || others.length > 0 || !isFenceOf(plan, fence, this.#dialect)) {
      throw policyRejection('A predicate reaches out of its fence.');
    }
    this.#fences.set(text, fence);
    return fence;
  }

  /**
   * The text is parsed again and must be the statement with its references replaced, node by node: how it was put
   * together need not be trusted. As the statement and the predicates are proven to only read, so is the whole.
   */
  async #assertCompiled(compiled: string, statement: TreeNode, replaced: ReadonlyMap<unknown, unknown>): Promise<void> {
    const [actual, ...others] = await this.#dialect.parse(compiled);
    if (others.length === 0 && isSameTree(statement, actual, replaced)) return;
    throw policyRejection('A table stands where no fence can be put.');
  }

  #parseExpression(text: string, valueCount: number): Promise<unknown> {
    const key = `${valueCount} ${text}`;
    const kept = this.#expressions.get(key);
    if (kept) return kept;
    const parsed = parseExpression(text, valueCount, this.#dialect, this.#extraFunctions);
    this.#expressions.set(key, parsed);
    // What failed is tried again by the next who asks.
    parsed.catch(() => this.#expressions.delete(key));
    return parsed;
  }
}

const mayHoldFenceAlias = new RegExp(`${fenceAlias}|u&`, 'i');

/** What is no fault of the policies passes as it is; so does what broke. */
function asRejection(error: unknown): unknown {
  if (!(error instanceof AppError) || !error.code.startsWith('sql.')) return error;
  return error.details === undefined ? policyRejection(error.message, error) : error;
}

function assertNoFenceAlias(statement: TreeNode): void {
  for (const node of nodesOf(statement)) {
    for (const value of Object.values(node)) {
      const texts = Array.isArray(value) ? (value as unknown[]) : [value];
      if (texts.some((text) => typeof text === 'string' && text.toLowerCase() === fenceAlias)) {
        throw policyRejection(`The name ${fenceAlias} is reserved.`);
      }
    }
  }
}

function readRelation(reference: Reference, table: CatalogTable, policies: readonly RowPolicy[]): ReadRelation {
  return {
    schema: table.schema,
    name: table.name,
    policyIds: policies.map(({ id }) => id),
    ...(reference.schema === undefined ? {} : { writtenSchema: table.schema }),
  };
}

function sortedIds(ids: readonly string[]): readonly string[] {
  return [...new Set(ids)].sort();
}

interface Governing {
  readonly planned: readonly (readonly [string, PlannedFence])[];
  readonly fences: ReadonlyMap<Reference, string>;
  readonly placeholders: PlaceholderList;
  readonly relations: readonly ReadRelation[];
  readonly governed: GovernedList;
}

/**
 * Equal for two callers exactly when they are given the same fences with the same values, and the source is asked to confirm
 * the same: a view of a table that one of them may not read would be refused to that one alone.
 */
function fingerprintOf({ planned, fences, placeholders, relations, governed }: Governing): string {
  const policies = planned.map(([key, { policyIds, closedPolicyIds }]) => [key, policyIds, closedPolicyIds]);
  const texts = [...new Set(fences.values())];
  const content = JSON.stringify([policies, texts, placeholders.values, relations, governed.digest]);
  return createHash('sha256').update(content).digest('base64url');
}
