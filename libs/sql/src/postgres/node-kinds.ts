/**
 * The kinds of node that a reading statement is made of. The list is closed: a kind that a later parser adds is
 * refused until someone has looked at it.
 */
export const readingKinds: ReadonlySet<string> = new Set([
  ...['SelectStmt', 'ResTarget', 'WithClause', 'CommonTableExpr', 'CTESearchClause', 'CTECycleClause'],
  ...['RangeVar', 'RangeSubselect', 'RangeFunction', 'RangeTableSample', 'RangeTableFunc', 'RangeTableFuncCol'],
  ...['JoinExpr', 'Alias', 'ColumnDef', 'SortBy', 'WindowDef', 'GroupingSet', 'GroupingFunc', 'SetOperation'],
  ...['ColumnRef', 'ParamRef', 'A_Star', 'A_Const', 'A_Expr', 'A_Indices', 'A_Indirection', 'A_ArrayExpr', 'RowExpr'],
  ...['BoolExpr', 'NullTest', 'BooleanTest', 'CaseExpr', 'CaseWhen', 'CoalesceExpr', 'MinMaxExpr', 'SubLink'],
  ...['FuncCall', 'NamedArgExpr', 'SQLValueFunction', 'TypeCast', 'TypeName', 'CollateClause'],
  ...['List', 'String', 'Integer', 'Float', 'Boolean', 'BitString'],
  ...['XmlExpr', 'XmlSerialize'],
  ...['JsonTable', 'JsonTableColumn', 'JsonTablePathSpec', 'JsonFuncExpr', 'JsonValueExpr', 'JsonFormat'],
  ...['JsonOutput', 'JsonReturning', 'JsonBehavior', 'JsonArgument', 'JsonKeyValue', 'JsonIsPredicate'],
  ...['JsonObjectConstructor', 'JsonArrayConstructor', 'JsonArrayQueryConstructor', 'JsonAggConstructor'],
  ...['JsonObjectAgg', 'JsonArrayAgg', 'JsonParseExpr', 'JsonScalarExpr', 'JsonSerializeExpr'],
]);

/** What people call the statements that are no reading ones. */
export const statementNames: Readonly<Record<string, string>> = {
  InsertStmt: 'INSERT',
  UpdateStmt: 'UPDATE',
  DeleteStmt: 'DELETE',
  MergeStmt: 'MERGE',
  ExplainStmt: 'EXPLAIN',
  DoStmt: 'DO',
  CopyStmt: 'COPY',
  CallStmt: 'CALL',
  VariableSetStmt: 'SET',
  VariableShowStmt: 'SHOW',
  TransactionStmt: 'Transaction control',
  CreateStmt: 'CREATE TABLE',
  CreateTableAsStmt: 'CREATE TABLE AS',
  DropStmt: 'DROP',
  TruncateStmt: 'TRUNCATE',
  LockStmt: 'LOCK',
  ListenStmt: 'LISTEN',
  NotifyStmt: 'NOTIFY',
  PrepareStmt: 'PREPARE',
  ExecuteStmt: 'EXECUTE',
  DeallocateStmt: 'DEALLOCATE',
  DeclareCursorStmt: 'DECLARE CURSOR',
  FetchStmt: 'FETCH',
  DiscardStmt: 'DISCARD',
  GrantStmt: 'GRANT or REVOKE',
  GrantRoleStmt: 'GRANT or REVOKE',
  VacuumStmt: 'VACUUM or ANALYZE',
  IntoClause: 'SELECT INTO',
  LockingClause: 'A locking clause such as FOR UPDATE',
};
