import { createClient, type Client } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { Target } from './questions.ts';

const document = `subscription ($id: ID!) { executionEvents(id: $id) { __typename
  ... on ExecutionSnapshot { execution { state } } ... on ExecutionStateChanged { state } } }`;
const finalStates = ['SUCCEEDED', 'FAILED', 'CANCELED', 'TIMED_OUT'];

interface Told {
  readonly executionEvents: { readonly state?: string; readonly execution?: { readonly state: string } | null };
}

/** The WebSockets of users, one each, over which they hear how their questions end. */
export class OpenSockets {
  readonly faults: string[] = [];
  private readonly clients: Client[] = [];
  private isClosing = false;

  /** Opens so many, some at a time, as users do not come all in the same moment. */
  async open(target: Target, count: number, atOnce = 32): Promise<void> {
    let left = count;
    const next = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        await this.openOne(target);
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, count) }, next));
  }

  /** Hears on a user's socket how an execution ends. @returns undefined where it has succeeded, else what went wrong */
  async hear(user: number, id: string): Promise<string | undefined> {
    const client = this.clients[user];
    if (!client) return 'the user has no socket';
    try {
      for await (const { data, errors } of client.iterate<Told>({ query: document, variables: { id } })) {
        const state = data?.executionEvents.state ?? data?.executionEvents.execution?.state;
        if (errors?.length) return errors.map(({ message }) => message).join('; ');
        if (state !== undefined && finalStates.includes(state)) return state === 'SUCCEEDED' ? undefined : state;
      }
      return 'the subscription ended before the execution did';
    } catch (error) {
      return error instanceof Error ? error.message : 'the socket was closed';
    }
  }

  async close(): Promise<void> {
    this.isClosing = true;
    await Promise.all(this.clients.map(async (client) => client.dispose()));
  }

  private openOne({ websocketUrl, apiKey }: Target): Promise<void> {
    return new Promise((resolve) => {
      const client = createClient({
        ...{ url: websocketUrl, webSocketImpl: WebSocket, lazy: false, retryAttempts: 0 },
        connectionParams: { authorization: `Key ${apiKey}` },
        onNonLazyError: () => resolve(),
        on: {
          connected: () => resolve(),
          closed: (event) => {
            // What the socket tells of its end has a code.
            if (!this.isClosing) this.faults.push(`a socket was closed with ${(event as { code?: number }).code}`);
            resolve();
          },
        },
      });
      this.clients.push(client);
    });
  }
}
