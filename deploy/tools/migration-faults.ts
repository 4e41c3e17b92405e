import { parse } from 'libpg-query';

/** A statement of a migration as the parser has it: one member, named as its kind. */
type Node = Readonly<Record<string, unknown>>;

export interface MigrationText {
  readonly statements: readonly string[];
  /** False for one that runs outside of a transaction, which is how an index is built concurrently. */
  readonly transaction?: boolean | undefined;
  /** Set by a migration that takes away what no release needs any more: the release that needed it last. */
  readonly contracts?: string | undefined;
}

/**
 * What would hurt the release before, which runs on beside the migrated schema, or whoever uses the tables meanwhile. A table
 * that the migration has created itself is nobody's yet.
 */
export async function migrationFaults({ statements, transaction, contracts }: MigrationText): Promise<string[]> {
  const parsed = await Promise.all(statements.map((text) => parse(text) as Promise<{ stmts?: { stmt: Node }[] }>));
  const nodes = parsed.flatMap(({ stmts = [] }) => stmts.map(({ stmt }) => kindOf(stmt)));
  const all = new Set(nodes.flatMap(({ kind, table }) => (kind === 'CreateStmt' && table ? [table] : [])));
  const created = new Set<string>();
  const faults: string[] = [];
  for (const { kind, node, table } of nodes) {
    if (kind === 'CreateStmt' && table !== undefined) created.add(table);
    if (table !== undefined && (created.has(table) || isReplaced(kind, node, table, all))) continue;
    faults.push(...faultsOf(kind, node, { transaction, contracts }).map((fault) => `${table ?? 'schema'}: ${fault}`));
  }
  return faults;
}

function kindOf(stmt: Node): { kind: string; node: Node; table: string | undefined } {
  const [[kind, value] = ['', {}]] = Object.entries(stmt);
  const node = value as Node;
  return { kind, node, table: tableOf(node) };
}

/** One that is created under the old name, in the same transaction, stands in its place: for others it has never been gone. */
function isReplaced(kind: string, { renameType }: Node, table: string, created: ReadonlySet<string>): boolean {
  return (
    kind === 'RenameStmt' && (renameType === 'OBJECT_INDEX' || (renameType === 'OBJECT_TABLE' && created.has(table)))
  );
}

type Circumstances = Pick<MigrationText, 'transaction' | 'contracts'>;

function faultsOf(kind: string, node: Node, { transaction, contracts }: Circumstances): string[] {
  const away = (what: string): string[] => (contracts === undefined ? [`${what}: the release before needs it`] : []);
  switch (kind) {
    case 'DropStmt':
      return dropped(node) === 'INDEX' || dropped(node) === 'TRIGGER' ? [] : away(`drops a ${dropped(node)}`);
    case 'RenameStmt':
    case 'AlterObjectSchemaStmt':
      return away('renames or moves');
    case 'AlterTableStmt':
      return listOf(node['cmds']).flatMap((command) => commandFaults(command['AlterTableCmd'] as Node, away));
    case 'IndexStmt':
      if (node['concurrent'] !== true) return ['builds an index with the table locked: create index concurrently'];
      return transaction === false ? [] : ['builds an index concurrently within a transaction: transaction = false'];
    case 'UpdateStmt':
    case 'DeleteStmt':
      return ['rewrites rows all at once: have the service do it, in batches'];
    case 'LockStmt':
    case 'TruncateStmt':
    case 'ClusterStmt':
      return ['locks or rewrites a table'];
    case 'VacuumStmt':
      // ANALYZE is one as well, and is in nobody's way.
      return node['is_vacuumcmd'] === true ? ['locks or rewrites a table'] : [];
    default:
      return [];
  }
}

function commandFaults(command: Node, away: (what: string) => string[]): string[] {
  const definition = (command['def'] ?? {}) as Node;
  switch (command['subtype']) {
    case 'AT_DropColumn':
      return away(`drops the column ${String(command['name'])}`);
    case 'AT_AlterColumnType':
      return ['changes the type of a column, which rewrites the table'];
    case 'AT_SetNotNull':
      return ['makes a column not null: add a check as not valid, and validate it in the next release'];
    case 'AT_AddColumn':
      return columnFaults(definition['ColumnDef'] as Node);
    case 'AT_AddConstraint':
      return constraintFaults(definition['Constraint'] as Node);
    default:
      return [];
  }
}

/** A default of these is worked out once, for all rows that are there. */
const stableDefaults = new Set(['now', 'transaction_timestamp', 'statement_timestamp']);

function columnFaults(column: Node): string[] {
  const constraints = listOf(column['constraints']).map((each) => each['Constraint'] as Node);
  const has = (type: string): Node | undefined => constraints.find(({ contype }) => contype === type);
  const value = has('CONSTR_DEFAULT');
  const faults: string[] = [];
  if (has('CONSTR_NOTNULL') && !value) faults.push('adds a column that is not null and has no default');
  if (has('CONSTR_GENERATED') || has('CONSTR_IDENTITY'))
    faults.push('adds a generated column, which rewrites the table');
  if (has('CONSTR_PRIMARY') || has('CONSTR_UNIQUE')) faults.push('adds a unique column, with the table locked');
  const calls = [...JSON.stringify(value ?? {}).matchAll(/"funcname":\[(?:.*?"sval":"(\w+)"\}\})+\]/g)];
  if (calls.some(([, name]) => !stableDefaults.has(name ?? '')))
    faults.push('adds a default that differs from row to row');
  return faults;
}

function constraintFaults(constraint: Node): string[] {
  const { contype, skip_validation: isLater, indexname } = constraint;
  if (contype === 'CONSTR_CHECK' || contype === 'CONSTR_FOREIGN' || contype === 'CONSTR_NOTNULL') {
    return isLater === true ? [] : ['adds a constraint and reads the whole table for it: not valid'];
  }
  return indexname === undefined ? ['adds a constraint that builds an index with the table locked'] : [];
}

function tableOf(node: Node): string | undefined {
  const { schemaname = 'public', relname } = (node['relation'] ?? {}) as Partial<Record<string, string>>;
  return relname === undefined ? undefined : `${schemaname}.${relname}`;
}

function dropped(node: Node): string {
  return String(node['removeType']).replace('OBJECT_', '');
}

function listOf(value: unknown): readonly Node[] {
  return Array.isArray(value) ? (value as readonly Node[]) : [];
}
