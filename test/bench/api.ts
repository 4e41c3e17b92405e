import { createClient, type Client } from 'graphql-ws';
import pg from 'pg';
import { WebSocket } from 'ws';
import type { Installation } from './installation.ts';

const finalStates = ['SUCCEEDED', 'FAILED', 'CANCELED', 'TIMED_OUT'];

export interface ExecutionEvent {
  __typename: string;
  state?: string;
  execution?: { state: string; error: { message: string } | null } | null;
  page?: { offset: number; rows: unknown[][] };
}

/** Where messages about an execution's run go. */
export interface RunPlace {
  readonly workspaceId: string;
  readonly runId: string;
}

/** What a page of a frontend does: asks over HTTP, hears over one WebSocket. */
export class Api {
  private readonly installation: Pick<Installation, 'access'>;
  private readonly socket: Client;
  private opened: WebSocket | undefined;

  constructor(installation: Pick<Installation, 'access'>) {
    this.installation = installation;
    this.socket = createClient({
      url: installation.access.websocketUrl,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Key ${installation.access.apiKey}` },
      lazy: false,
      retryAttempts: 0,
      on: { opened: (socket) => (this.opened = socket as WebSocket) },
    });
  }

  get apiKey(): string {
    return this.installation.access.apiKey;
  }

  async request<T>(query: string, variables: Record<string, unknown> = {}): Promise<T> {
    const response = await fetch(this.installation.access.graphqlUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Key ${this.installation.access.apiKey}` },
      body: JSON.stringify({ query, variables }),
    });
    // The shape that GraphQL over HTTP gives to every JSON answer.
    const { data, errors } = (await response.json()) as { data?: T; errors?: { message: string }[] };
    if (errors?.length || !data) throw new Error(errors?.map(({ message }) => message).join('; ') ?? 'no data');
    return data;
  }

  /** Submits a query; its execution's id. */
  async submit(dataSourceId: string, text: string, limits: Record<string, number> = {}): Promise<string> {
    const { runQuery } = await this.request<{
      runQuery: { execution: { id: string } | null; errors: { message: string }[] };
    }>('mutation ($input: RunQueryInput!) { runQuery(input: $input) { execution { id } errors { message } } }', {
      // Each is to be run, whatever was asked before.
      input: { query: { sql: { dataSourceId, text } }, limits, cache: { maxAgeSeconds: 0 } },
    });
    if (runQuery.execution) return runQuery.execution.id;
    throw new Error(`refused: ${runQuery.errors.map(({ message }) => message).join('; ')}`);
  }

  /** Where the run of an execution is, which its cursors say to those who look inside. */
  async placeOf(id: string): Promise<RunPlace> {
    const query = 'subscription ($id: ID!) { executionEvents(id: $id) { cursor } }';
    for await (const { data } of this.socket.iterate<{ executionEvents: { cursor: string } }>({
      query,
      variables: { id },
    })) {
      const [payload = ''] = data?.executionEvents.cursor.split('.') ?? [];
      // As services/gateway makes it: workspace, execution, rows or not, run, and numbers.
      const [workspaceId, , , runId] = JSON.parse(Buffer.from(payload, 'base64url').toString()) as [
        string,
        string,
        boolean,
        string,
      ];
      return { workspaceId, runId };
    }
    throw new Error('the subscription told nothing');
  }

  /** The events of an execution until it is final; throws where that is not SUCCEEDED. */
  async follow(id: string, includeRows: boolean, take: (event: ExecutionEvent) => void): Promise<void> {
    const events = this.socket.iterate<{ executionEvents: ExecutionEvent }>({
      query: `subscription ($id: ID!, $includeRows: Boolean!) { executionEvents(id: $id, includeRows: $includeRows) {
        __typename
        ... on ExecutionSnapshot { execution { state error { message } } }
        ... on ExecutionStateChanged { state execution { state error { message } } }
        ... on RowsAppended { page { offset rows } } } }`,
      variables: { id, includeRows },
    });
    for await (const { data, errors } of events) {
      if (errors?.length) throw new Error(errors.map(({ message }) => message).join('; '));
      if (!data) continue;
      take(data.executionEvents);
      if (isOver(data.executionEvents, includeRows)) return;
    }
    throw new Error('the subscription ended before the execution did');
  }

  /** Reads nothing from the WebSocket for so long. */
  standStill(ms: number): void {
    this.opened?.pause();
    setTimeout(() => this.opened?.resume(), ms);
  }

  /** The id of a source, and the options that it was made with. */
  async source(name: string): Promise<{ id: string; options: Record<string, unknown> }> {
    type Node = { id: string; name: string; options: Record<string, unknown> | null };
    const { dataSources } = await this.request<{ dataSources: { nodes: Node[] } }>(
      '{ dataSources(first: 100) { nodes { id name options } } }',
    );
    const found = dataSources.nodes.find((node) => node.name === name);
    if (!found?.options) throw new Error(`the data source ${name} is missing, or its options are not shown to us`);
    return { id: found.id, options: found.options };
  }

  async close(): Promise<void> {
    await this.socket.dispose();
  }
}

/** The bare driver on the same database under the same role: the control of everything that is asked of flights_pg. */
export async function barePool(api: Api, installation: Installation, max: number): Promise<pg.Pool> {
  const { options } = await api.source('flights_pg');
  return new pg.Pool({
    host: String(options['host']),
    port: Number(options['port']),
    database: String(options['database']),
    user: String(options['user']),
    password: installation.readerPassword(),
    max,
  });
}

/** With rows only the change counts, which comes behind the last of them; a snapshot comes before the first. */
function isOver(event: ExecutionEvent, includeRows: boolean): boolean {
  const isState =
    event.__typename === 'ExecutionStateChanged' || (!includeRows && event.__typename === 'ExecutionSnapshot');
  const state = event.state ?? event.execution?.state;
  if (!isState || state === undefined || !finalStates.includes(state)) return false;
  if (state === 'SUCCEEDED') return true;
  throw new Error(`the execution ended ${state}: ${event.execution?.error?.message ?? ''}`);
}
