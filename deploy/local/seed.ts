import { existsSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { administrator } from './administrator.ts';
import { airportsFile, flightsFile } from './bundled-data.ts';
import { reader } from './flights.ts';
import { GraphQLClient } from './graphql-client.ts';
import type { LocalSecrets, StateDirectory } from './state-directory.ts';

/** What `.sluice/local.json` holds, for whoever goes on from here. */
export interface LocalAccess {
  graphqlUrl: string;
  websocketUrl: string;
  email: string;
  password: string;
  apiKey: string;
  workspace: string;
  /** Where to sign in through the local identity provider, where there is one. */
  ssoUrl?: string;
}

/** What has to be known of the mesh. */
export interface SeededMesh {
  graphqlUrl: string;
  websocketUrl: string;
  postgresPort: number;
  secrets: LocalSecrets;
  state: StateDirectory;
}

interface Failures {
  errors: { code: string; message: string; path: string[] }[];
}

/** Signs in, gives the workspace its two sources and an API key, and writes `local.json`. Repeating it changes nothing. */
export async function seed(mesh: SeededMesh): Promise<LocalAccess> {
  const { graphqlUrl: url, websocketUrl } = mesh;
  const password = mesh.secrets.adminPassword;
  const { signIn } = await new GraphQLClient({ url, websocketUrl }).request<{
    signIn: { accessToken: string } & Failures;
  }>('mutation ($input: SignInInput!) { signIn(input: $input) { accessToken errors { code message path } } }', {
    input: { email: administrator.email, password, workspace: administrator.workspace },
  });
  refuseErrors('sign in', signIn);
  const client = new GraphQLClient({ url, websocketUrl, authorization: `Bearer ${signIn.accessToken}` });
  await ensureDataSources(client, mesh);
  const access: LocalAccess = {
    graphqlUrl: url,
    websocketUrl,
    email: administrator.email,
    password,
    apiKey: await ensureApiKey(client, mesh),
    workspace: administrator.workspace,
  };
  mesh.state.writePrivate('local.json', access);
  return access;
}

async function ensureDataSources(client: GraphQLClient, mesh: SeededMesh): Promise<void> {
  const { dataSources } = await client.request<{
    dataSources: { nodes: { id: string; name: string; version: number; options: Record<string, unknown> }[] };
  }>('{ dataSources(first: 100) { nodes { id name version options } } }');
  const wanted = [
    {
      name: 'flights',
      type: 'duckdb',
      options: { tables: { flights: { parquet: flightsFile }, airports: { csv: airportsFile } } },
    },
    {
      name: 'flights_pg',
      type: 'postgres',
      options: {
        ...{ host: '127.0.0.1', port: mesh.postgresPort, database: 'flights', user: reader },
        ...{ password: mesh.secrets.readerPassword, ssl: { mode: 'disable' } },
      },
    },
  ];
  for (const { name, type, options } of wanted) {
    const existing = dataSources.nodes.find((node) => node.name === name);
    if (existing) {
      // What is told again is looked at again, and DuckDB takes 40 MB of a worker as soon as it is needed.
      if (hasAll(existing.options, options)) continue;
      // The port of the embedded PostgreSQL differs from start to start, and so may the place of the files.
      const { updateDataSource } = await client.request<{ updateDataSource: Failures }>(
        'mutation ($input: UpdateDataSourceInput!) { updateDataSource(input: $input) { errors { code message path } } }',
        { input: { id: existing.id, version: existing.version, options } },
      );
      refuseErrors(`update ${name}`, updateDataSource);
    } else {
      const { createDataSource } = await client.request<{ createDataSource: Failures }>(
        'mutation ($input: CreateDataSourceInput!) { createDataSource(input: $input) { errors { code message path } } }',
        { input: { name, type, options } },
      );
      refuseErrors(`create ${name}`, createDataSource);
    }
  }
}

function hasAll(known: Record<string, unknown>, wanted: Record<string, unknown>): boolean {
  return Object.entries(wanted).every(([name, value]) => isDeepStrictEqual(known[name], value));
}

async function ensureApiKey(client: GraphQLClient, mesh: SeededMesh): Promise<string> {
  const known = readLocal(mesh);
  if (known) {
    const keyed = new GraphQLClient({
      url: mesh.graphqlUrl,
      websocketUrl: mesh.websocketUrl,
      authorization: `Key ${known.apiKey}`,
    });
    const { data } = await keyed.send<{ viewer: { id: string } | null }>('{ viewer { id } }');
    if (data?.viewer) return known.apiKey;
  }
  const { createApiKey } = await client.request<{ createApiKey: { secret: string } & Failures }>(
    'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret errors { code message path } } }',
    { input: { name: 'local' } },
  );
  refuseErrors('create an API key', createApiKey);
  return createApiKey.secret;
}

function readLocal(mesh: SeededMesh): LocalAccess | undefined {
  const file = mesh.state.file('local.json');
  // Written by this module alone.
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as LocalAccess) : undefined;
}

function refuseErrors(what: string, { errors }: Failures): void {
  if (errors.length === 0) return;
  throw new Error(`${what}: ${errors.map((error) => `${error.path.join('.')}: ${error.message}`).join('; ')}`);
}
