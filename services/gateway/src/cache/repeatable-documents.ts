import { Kind, OperationTypeNode, visit, BREAK, type DocumentNode } from 'graphql';

/**
 * The fields below `runQuery` that are the same for each execution of one kept result within one second of its age, but for
 * the ids. Not among them: its times, its trace, cursors, and whatever other services are asked for.
 */
const equalFields: ReadonlySet<string> = new Set([
  ...['__typename', 'runQuery', 'execution', 'id', 'state', 'version', 'priority', 'parameters'],
  ...['cache', 'status', 'ageSeconds', 'expiresAt'],
  ...['result', 'rowCount', 'byteCount', 'truncated', 'sampled', 'columns', 'name', 'type', 'nullable'],
  ...['rows', 'offset', 'hasNextPage'],
  ...['errors', 'code', 'message', 'path', 'retryable', 'retryAfterSeconds'],
]);

const known = new WeakMap<DocumentNode, boolean>();

/** Whether a document is one `runQuery` that selects nothing but these. */
export function isRepeatable(document: DocumentNode): boolean {
  let isIt = known.get(document);
  if (isIt === undefined) {
    isIt = isOneRunQuery(document) && selectsEqualFields(document);
    known.set(document, isIt);
  }
  return isIt;
}

function isOneRunQuery({ definitions }: DocumentNode): boolean {
  const [operation, ...others] = definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
  if (!operation || others.length > 0 || operation.operation !== OperationTypeNode.MUTATION) return false;
  const [selection, ...more] = operation.selectionSet.selections;
  return more.length === 0 && selection?.kind === Kind.FIELD && selection.name.value === 'runQuery';
}

function selectsEqualFields(document: DocumentNode): boolean {
  let doesIt = true;
  visit(document, {
    Field: ({ name }) => {
      doesIt &&= equalFields.has(name.value);
      return doesIt ? undefined : BREAK;
    },
  });
  return doesIt;
}
