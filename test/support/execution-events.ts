import type { ApiClient } from './api-client.js';
import type { ExecutionEvent } from './api-types.js';
import { subscribe, type SocketOptions } from './subscription.js';

export interface EventsArgs {
  id: string;
  after?: string;
  includeRows?: boolean;
  rowsAfter?: string;
  columns?: string[];
}

const eventFields = `
  __typename cursor execution { id state version progress { rows } }
  ... on ExecutionStateChanged { state version at }
  ... on RowsAppended { page { offset rows endCursor hasNextPage } }
  ... on EventsSkipped { reason }`;

export const executionEventsDocument = `
  subscription ($id: ID!, $after: EventCursor, $includeRows: Boolean! = false, $rowsAfter: RowCursor, $columns: [String!]) {
    executionEvents(id: $id, after: $after, includeRows: $includeRows, rowsAfter: $rowsAfter, columns: $columns) { ${eventFields} } }`;

/** The events of one subscription, in a socket of its own, up to its end. */
export async function* executionEvents(
  client: ApiClient,
  args: EventsArgs,
  options?: SocketOptions,
): AsyncGenerator<ExecutionEvent> {
  // Spread, as an interface has no index signature.
  const events = subscribe<{ executionEvents: ExecutionEvent }>(client, executionEventsDocument, { ...args }, options);
  for await (const { executionEvents: event } of events) yield event;
}

export async function* executionsFinished(
  client: ApiClient,
  args: { after?: string } = {},
): AsyncGenerator<ExecutionEvent> {
  const events = subscribe<{ executionsFinished: ExecutionEvent }>(
    client,
    `subscription ($after: EventCursor) { executionsFinished(after: $after) { ${eventFields} } }`,
    args,
  );
  for await (const { executionsFinished: event } of events) yield event;
}

/** Every event up to the end of the subscription. */
export async function collect<T>(events: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const event of events) collected.push(event);
  return collected;
}
