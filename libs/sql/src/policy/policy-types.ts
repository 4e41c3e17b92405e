/** A table's name in its source, in parts and unquoted. An absent part is the source's default. */
export interface TableName {
  readonly catalog?: string | undefined;
  readonly schema?: string | undefined;
  readonly name: string;
}

/** A value to bind, as text, with the type that it is bound as. */
export interface TypedValue {
  readonly type: 'text' | 'integer' | 'number' | 'boolean' | 'date' | 'datetime';
  readonly value: string | null;
  /** Nobody but the source may have it: whoever hands it on seals it. */
  readonly isSecret?: true;
}

export interface ColumnMask {
  readonly column: string;
  readonly kind: 'NULL' | 'HASH' | 'FIXED';
  /** What a FIXED mask shows, as the column's type writes it. */
  readonly value?: string | null | undefined;
}

export interface RowPolicy {
  readonly id: string;
  /** Null: every table of the source that has the columns that the predicate names. */
  readonly table: TableName | null;
  /** Members of these groups see only rows that satisfy the predicate; empty: everyone not exempt. */
  readonly groupNames: readonly string[];
  readonly exemptGroupNames: readonly string[];
  /** Policies with the same key widen each other (or); those with different keys narrow (and). Null: a key of its own. */
  readonly key: string | null;
  readonly predicate: string;
  readonly masks: readonly ColumnMask[];
}

/** Who asks, as the token and the identity provider say; nothing of it may come from the request. */
export interface PolicyCaller {
  readonly id: string;
  /** Null: a service account or a guest, which has none. */
  readonly email: string | null;
  readonly groupNames: readonly string[];
  /** An attribute that is absent, or null, leaves no rows to the policies that name it. */
  readonly attributes: Readonly<Record<string, TypedValue | readonly TypedValue[]>>;
}

export interface KnownColumn {
  readonly name: string;
  /** As the source writes it, such as `numeric(10,2)`. */
  readonly sourceType: string;
}

export interface KnownTable extends TableName {
  readonly columns: readonly KnownColumn[];
}

/** A relation that a query reads, and the policies that fence it there. */
export interface ReadRelation extends TableName {
  /** The schema that the query itself names; absent where the search path decides. */
  readonly writtenSchema?: string | undefined;
  readonly policyIds: readonly string[];
}

/** What the source itself must confirm before the rows are read: see postgresReachCheck and duckdbReachFault. */
export interface ReachPremises {
  readonly relations: readonly ReadRelation[];
  /** Every table that a policy governs for this caller, whether the query names it or not. */
  readonly governed: readonly ReadRelation[];
}

export interface CompiledQuery {
  readonly sql: string;
  /** To bind behind the values that the query already has. A HASH mask binds its key, as a secret. */
  readonly values: readonly TypedValue[];
  /** Every table that the query reads, as it names them; for invalidation by table. */
  readonly tables: readonly TableName[];
  /** The policies inside the text, sorted by id. */
  readonly policyIds: readonly string[];
  /** Those of them that let no row through, since the caller or an attribute of the caller is absent. */
  readonly closedPolicyIds: readonly string[];
  /** What of the policies and the caller can change the answer; for the cache's key. Empty where nothing can. */
  readonly fingerprint: string;
  /** Absent where no policy of the source applies to the caller. */
  readonly reach?: ReachPremises | undefined;
}
