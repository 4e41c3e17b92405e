import type { Premises } from '../premises.js';
import type { TreeNode } from './syntax-tree.js';
import type { ColumnMask, KnownColumn, TableName } from './policy-types.js';

/** A place in a query that names a relation which is no common table expression in its scope. */
export interface Reference extends TableName {
  /** What stands for the reference in the tree. */
  readonly node: TreeNode;
  /** In bytes of the text; undefined where the parser does not tell. */
  readonly location: number | undefined;
  /** The name under which the query refers to the rows, where it gives one itself. */
  readonly alias: string | undefined;
  /** `from only t`. */
  readonly isOnly: boolean;
  /** `table t`, which has no place for a subquery. */
  readonly isTableCommand: boolean;
  /** Why the reference cannot be fenced, such as a sample of the true table's blocks. */
  readonly refusal: string | undefined;
}

/** A column's name in an expression. */
export interface ColumnUse {
  readonly node: TreeNode;
  readonly name: string;
  readonly location: number | undefined;
}

/** What a fence is made of, read back from its tree. */
export interface FenceParts {
  readonly relation: TableName & { readonly isOnly: boolean };
  /** `[undefined]` where it is every column as it is. */
  readonly columns: readonly { readonly name: string | undefined; readonly value: unknown }[];
  readonly where: unknown;
}

/** All that compiling needs to know of a grammar. */
export interface PolicyDialect {
  parse(sql: string): Promise<readonly TreeNode[]>;
  /** The one statement, proven to only read. */
  prove(statements: readonly TreeNode[], premises: Premises): TreeNode;
  references(statement: TreeNode): readonly Reference[];
  /** A function that is called and that tells of tables past their fences, such as their size; `sql` is the statement's text. */
  inquiry(statement: TreeNode, sql: string, extraFunctions: ReadonlySet<string>): string | undefined;
  /** Catalogs that tell of tables and columns and hold neither values of theirs nor counts. */
  isHarmlessCatalog(relation: TableName): boolean;
  /** The expression of `select <expression>`, where the statement is that and nothing more. */
  expressionOf(statement: TreeNode): unknown;
  /** Throws for what a predicate may not hold: subqueries, windows, aggregates' clauses, names in parts. */
  columnsOf(expression: unknown): readonly ColumnUse[];
  placeholdersOf(expression: unknown): readonly number[];
  /** Whether anything in it, such as coalesce or any function, may make a value of NULL; operators and casts make NULL of it. */
  mayFillNulls(expression: unknown): boolean;
  /** The node of a column under the fence's own alias. */
  qualified(use: ColumnUse, alias: string): TreeNode;
  /** The operands of an `and` or an `or`; undefined for anything else. */
  operandsOf(expression: unknown): { readonly kind: 'and' | 'or'; readonly operands: readonly unknown[] } | undefined;
  /** Undefined where the statement has any part that a fence has not. */
  fencePartsOf(statement: TreeNode, alias: string): FenceParts | undefined;
  /** What the parser makes of the fence in the reference's place. */
  fenced(reference: Reference, fence: TreeNode): TreeNode;
  /** `column` is written already, with its alias; `placeholder` for what FIXED and HASH bind. */
  mask(kind: ColumnMask['kind'], column: string, known: KnownColumn, placeholder: string): string;
}
