import { createClient, type Client } from 'graphql-ws';
import { WebSocket } from 'ws';

export interface GraphQLError {
  message: string;
  path?: (string | number)[];
  extensions?: Record<string, unknown>;
}

interface Answer<T> {
  data?: T | null;
  errors?: GraphQLError[];
}

/** The smallest client of the API that there is: one address, one credential. */
export class GraphQLClient {
  private readonly url: string;
  private readonly websocketUrl: string;
  private readonly authorization: string | undefined;

  constructor(options: { url: string; websocketUrl: string; authorization?: string }) {
    this.url = options.url;
    this.websocketUrl = options.websocketUrl;
    this.authorization = options.authorization;
  }

  /** The data of an operation; throws where there are errors. */
  async request<T>(query: string, variables: Record<string, unknown> = {}): Promise<T> {
    const { data, errors } = await this.send<T>(query, variables);
    if (errors?.length) throw new Error(errors.map((error) => error.message).join('; '));
    if (!data) throw new Error('the answer has no data');
    return data;
  }

  /** The whole answer, errors included. */
  async send<T>(query: string, variables: Record<string, unknown> = {}): Promise<Answer<T>> {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(this.authorization === undefined ? {} : { authorization: this.authorization }),
      },
      body: JSON.stringify({ query, variables }),
    });
    // The shape that GraphQL over HTTP gives to every JSON answer.
    return (await response.json()) as Answer<T>;
  }

  /** The events of a subscription, resumed by nobody: an error ends it. */
  async *subscribe<T>(query: string, variables: Record<string, unknown> = {}): AsyncGenerator<T> {
    const client = this.socket();
    try {
      for await (const { data, errors } of client.iterate<T>({ query, variables })) {
        if (errors?.length) throw new Error(errors.map((error) => error.message).join('; '));
        if (data) yield data;
      }
    } finally {
      await client.dispose();
    }
  }

  socket(): Client {
    return createClient({
      url: this.websocketUrl,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      ...(this.authorization === undefined ? {} : { connectionParams: { authorization: this.authorization } }),
    });
  }
}
