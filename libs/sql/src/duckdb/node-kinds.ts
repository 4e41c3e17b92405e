/** Classes of expressions that compute. The list is closed: what a later parser adds is refused. */
export const readingClasses: ReadonlySet<string> = new Set([
  ...['COLUMN_REF', 'CONSTANT', 'FUNCTION', 'OPERATOR', 'COMPARISON', 'CONJUNCTION', 'BETWEEN', 'CASE', 'CAST'],
  ...['SUBQUERY', 'WINDOW', 'STAR', 'COLLATE', 'LAMBDA', 'LAMBDA_REF', 'POSITIONAL_REFERENCE', 'TYPE'],
]);

/** Query nodes, table references, modifiers and orders that a reading statement is made of. */
export const readingTypes: ReadonlySet<string> = new Set([
  ...['SELECT_NODE', 'SET_OPERATION_NODE', 'RECURSIVE_CTE_NODE', 'CTE_NODE'],
  ...['BASE_TABLE', 'SUBQUERY', 'JOIN', 'TABLE_FUNCTION', 'EXPRESSION_LIST', 'EMPTY', 'PIVOT', 'COLUMN_DATA'],
  ...['ORDER_MODIFIER', 'LIMIT_MODIFIER', 'LIMIT_PERCENT_MODIFIER', 'DISTINCT_MODIFIER'],
  ...['ORDER_DEFAULT', 'ASCENDING', 'DESCENDING'],
]);
