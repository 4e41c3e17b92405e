import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { PolicyDialect } from './policy-dialect.js';
import { policyRejection } from './policy-rejection.js';
import type { ReadRelation, RowPolicy } from './policy-types.js';
import { readPredicate, type ParseExpression, type Predicate } from './predicate.js';
import type { CatalogTable, SourceCatalog } from './source-catalog.js';

/** Each names as many tables as the policies govern. */
const listsMax = 100;

export interface GovernedList {
  readonly relations: readonly ReadRelation[];
  /** Of the relations and the policies that govern each. */
  readonly digest: string;
}

/** Which policies govern which tables; read once for a source's policies and tables, and remembered. */
export class GovernedTables {
  readonly #predicates = new Map<RowPolicy, Promise<Predicate>>();
  readonly #governing = new Map<RowPolicy, Map<string, boolean>>();
  /** By the policies that apply to a caller, of which every set of groups may have its own. */
  readonly #listed = new LRUCache<string, GovernedList>({ max: listsMax });

  constructor(
    private readonly catalog: SourceCatalog,
    private readonly dialect: PolicyDialect,
    private readonly parse: ParseExpression,
  ) {}

  /** @throws AppError sql.rejected where the predicate is none */
  predicateOf(policy: RowPolicy): Promise<Predicate> {
    let predicate = this.#predicates.get(policy);
    if (!predicate) {
      predicate = readPredicate(policy, this.dialect, this.parse);
      this.#predicates.set(policy, predicate);
      // What failed is tried again by the next who asks: a parser may have been out of memory.
      predicate.catch(() => this.#predicates.delete(policy));
    }
    return predicate;
  }

  /** @throws AppError sql.rejected where one of them governs the table and does not fit it */
  async policiesOf(table: CatalogTable, policies: readonly RowPolicy[]): Promise<readonly RowPolicy[]> {
    const governing: RowPolicy[] = [];
    for (const policy of policies) {
      if (!(await this.#governs(policy, table))) continue;
      await this.#assertFits(policy, table);
      governing.push(policy);
    }
    return governing;
  }

  /** Every table that any of the policies governs; also one that is named in a policy and not known. */
  async tablesOf(policies: readonly RowPolicy[]): Promise<GovernedList> {
    const key = JSON.stringify(policies.map(({ id }) => id));
    const known = this.#listed.get(key);
    if (known) return known;
    const relations = await this.#list(policies);
    const digest = createHash('sha256').update(JSON.stringify(relations)).digest('base64url');
    const listed = { relations, digest };
    this.#listed.set(key, listed);
    return listed;
  }

  async #list(policies: readonly RowPolicy[]): Promise<readonly ReadRelation[]> {
    const governed: ReadRelation[] = [];
    for (const table of this.catalog.all()) {
      const policyIds: string[] = [];
      for (const policy of policies) if (await this.#governs(policy, table)) policyIds.push(policy.id);
      if (policyIds.length > 0) governed.push({ schema: table.schema, name: table.name, policyIds });
    }
    for (const { id, table } of policies) {
      if (table && !this.catalog.resolve(table))
        governed.push({ ...this.catalog.withDefaults(table), policyIds: [id] });
    }
    return governed;
  }

  async #governs(policy: RowPolicy, table: CatalogTable): Promise<boolean> {
    if (policy.table) return this.catalog.resolve(policy.table)?.key === table.key;
    const known = this.#governing.get(policy) ?? new Map<string, boolean>();
    this.#governing.set(policy, known);
    let answer = known.get(table.key);
    if (answer === undefined) {
      const { columns } = await this.predicateOf(policy);
      answer = columns.every((name) => table.column(name));
      known.set(table.key, answer);
    }
    return answer;
  }

  async #assertFits(policy: RowPolicy, table: CatalogTable): Promise<void> {
    const { columns } = await this.predicateOf(policy);
    const masked = policy.table ? policy.masks.map(({ column }) => column) : [];
    const absent = [...columns, ...masked].find((name) => !table.column(name));
    if (absent === undefined) return;
    throw policyRejection(`The table ${JSON.stringify(table.name)} has no column ${JSON.stringify(absent)}.`);
  }
}
