import type { FormattedExecutionResult } from 'graphql';
import type { Client } from 'graphql-ws';

export const executionEvents = `subscription ($id: ID!, $after: EventCursor, $includeRows: Boolean! = false) {
  executionEvents(id: $id, after: $after, includeRows: $includeRows) {
    __typename cursor execution { version state }
    ... on ExecutionStateChanged { state version at }
    ... on RowsAppended { page { offset rows } }
  }
}`;

/** Collects events until the subscription ends or `enough` says so. */
export function collect(client: Client, variables: Record<string, unknown>) {
  const events: Record<string, any>[] = []; // eslint-disable-line @typescript-eslint/no-explicit-any -- events of any kind
  const results: FormattedExecutionResult<Record<string, unknown>, unknown>[] = [];
  let end: (() => void) | undefined;
  const done = new Promise<unknown>((resolve) => {
    end = client.subscribe<Record<string, unknown>>(
      { query: executionEvents, variables },
      {
        next: (result) => {
          results.push(result);
          const event = result.data?.['executionEvents'];
          if (event) events.push(event as Record<string, unknown>);
        },
        error: (error) => resolve(error),
        complete: () => resolve(undefined),
      },
    );
  });
  return { events, results, done, end: () => end?.() };
}

export const namesOf = (events: readonly Record<string, unknown>[]) => events.map(({ __typename }) => __typename);
