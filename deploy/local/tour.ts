import { GraphQLClient } from './graphql-client.ts';
import type { LocalAccess } from './seed.ts';

const question = `select a.city || ', ' || a.state as airport, count(*) as flights,
       round(avg(f.delay), 1) as mean_delay_minutes, round(100.0 * avg(case when f.delay > 60 then 1 else 0 end), 2) as percent_over_an_hour
from flights f join airports a on a.iata = f.origin
group by 1 having count(*) > 20000 order by mean_delay_minutes desc limit 8`;

interface Event {
  __typename: string;
  execution: { state: string; version: number; progress: { rows: number } } | null;
  state?: string;
  version?: number;
  page?: { offset: number; rows: unknown[][] };
}

/** The main job before the user's eyes: asks a real question, prints each pushed event, then the rows. */
export async function showTour(access: LocalAccess, print: (line: string) => void): Promise<void> {
  const client = new GraphQLClient({
    url: access.graphqlUrl,
    websocketUrl: access.websocketUrl,
    authorization: `Key ${access.apiKey}`,
  });
  const source = await sourceOf(client, 'flights');
  print(`\nWhich large airports kept people waiting? Asked of 3,000,000 flights:\n\n${question}\n`);
  const begun = performance.now();
  const { runQuery } = await client.request<{
    runQuery: { execution: { id: string } | null; errors: { message: string }[] };
  }>('mutation ($input: RunQueryInput!) { runQuery(input: $input) { execution { id } errors { message } } }', {
    input: { query: { sql: { dataSourceId: source, text: question } } },
  });
  const id = runQuery.execution?.id;
  if (id === undefined) throw new Error(runQuery.errors.map((error) => error.message).join('; '));
  const events = client.subscribe<{ executionEvents: Event }>(
    `subscription ($id: ID!) { executionEvents(id: $id, includeRows: true) {
       __typename execution { state version progress { rows } }
       ... on ExecutionStateChanged { state version }
       ... on RowsAppended { page { offset rows } } } }`,
    { id },
  );
  const rows: unknown[][] = [];
  for await (const { executionEvents: event } of events) {
    const after = `${(performance.now() - begun).toFixed(0).padStart(5)} ms`;
    print(`${after}  ${event.__typename.padEnd(22)} ${describe(event)}`);
    if (event.page) rows.push(...event.page.rows);
  }
  print('');
  printTable(['airport', 'flights', 'mean delay, min', '> 1 h, %'], rows, print);
}

async function sourceOf(client: GraphQLClient, name: string): Promise<string> {
  const { dataSources } = await client.request<{ dataSources: { nodes: { id: string; name: string }[] } }>(
    '{ dataSources(first: 100) { nodes { id name } } }',
  );
  const source = dataSources.nodes.find((node) => node.name === name);
  if (!source) throw new Error(`the data source ${name} is missing`);
  return source.id;
}

function describe(event: Event): string {
  if (event.page) return `${event.page.rows.length} rows from ${event.page.offset}`;
  if (event.state !== undefined) return `${event.state} (version ${event.version})`;
  return event.execution ? `${event.execution.state} (version ${event.execution.version})` : '';
}

function printTable(header: readonly string[], rows: readonly unknown[][], print: (line: string) => void): void {
  const table = [header, ...rows.map((row) => row.map(String))];
  const widths = header.map((_, column) => Math.max(...table.map((row) => (row[column] ?? '').length)));
  for (const row of table) print(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
}
