import { hash } from 'node:crypto';
import { Kind, visit, type DocumentNode, type ExecutionArgs } from 'graphql';
import type { OperationLabels, Transport } from '../observability/request-metrics.js';
import type { Cost } from '../operations/cost.js';
import type { Session } from '../sessions/session.js';

/** A subscription that is to be fed, with all that decides over what it is told. */
export interface StreamOperation {
  readonly args: ExecutionArgs;
  readonly session: Session;
  readonly requestId: string;
  readonly transport: Transport;
  readonly labels: OperationLabels;
  readonly cost: Cost;
  /** The same for all who ask for the same; only the place in the stream is not in it. */
  readonly asked: string;
}

/** Where these arguments of a subscription are variables, they only say where it begins. */
const placeArguments: ReadonlySet<string> = new Set(['after', 'rowsAfter']);
const placeVariables = new WeakMap<DocumentNode, ReadonlySet<string>>();

/** Fields that are made of the caller's token itself, so that those who come with another are told something else. */
const tokenFields: ReadonlySet<string> = new Set(['download']);
const tokenDocuments = new WeakMap<DocumentNode, boolean>();

/**
 * Equal for equal documents and variables, but for those that only say where the subscription begins. Where something is made of the
 * token, only those ask for the same who come with the same.
 */
export function askedOf({ authorization }: Pick<Session, 'authorization'>, text: string, args: ExecutionArgs): string {
  const isPlace = placeVariablesOf(args.document);
  const variables = Object.entries(args.variableValues ?? {}).filter(([name]) => !isPlace.has(name));
  variables.sort(([one], [other]) => (one < other ? -1 : 1));
  const token = asksForToken(args.document) ? authorization : null;
  return hash('sha256', JSON.stringify([text, args.operationName ?? null, variables, token]), 'base64');
}

function asksForToken(document: DocumentNode): boolean {
  const known = tokenDocuments.get(document);
  if (known !== undefined) return known;
  let isFound = false;
  visit(document, { Field: ({ name }) => void (isFound ||= tokenFields.has(name.value)) });
  tokenDocuments.set(document, isFound);
  return isFound;
}

/** A variable that is used for something else as well decides over more than the beginning. */
function placeVariablesOf(document: DocumentNode): ReadonlySet<string> {
  const known = placeVariables.get(document);
  if (known) return known;
  const uses = new Map<string, number>();
  const found = new Set<string>();
  visit(document, {
    VariableDefinition: () => false,
    OperationDefinition: ({ selectionSet }) => {
      for (const field of selectionSet.selections) {
        for (const { name, value } of field.kind === Kind.FIELD ? (field.arguments ?? []) : []) {
          if (placeArguments.has(name.value) && value.kind === Kind.VARIABLE) found.add(value.name.value);
        }
      }
    },
    Variable: ({ name }) => void uses.set(name.value, (uses.get(name.value) ?? 0) + 1),
  });
  const only = new Set([...found].filter((name) => uses.get(name) === 1));
  placeVariables.set(document, only);
  return only;
}
