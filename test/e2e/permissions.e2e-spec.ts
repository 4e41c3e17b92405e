import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.js';
import { errorFields, type UserError } from '../support/api-types.js';
import { run, sqlInput } from '../support/executions.js';
import { createUser, newPerson, signIn, updateUser, type Person, type RoleName } from '../support/people.js';
import { sharedMesh } from '../support/running-mesh.js';
import { newSavedQuery } from '../support/saved-queries.js';
import { unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const roles = ['viewer', 'analyst', 'editor', 'admin'] as const;
const people = new Map<RoleName, Person>();
let sourceId = '';
let savedQueryId = '';
let othersExecutionId = '';

beforeAll(async () => {
  for (const role of roles) people.set(role, await newPerson(mesh.admin, role));
  sourceId = (await mesh.source('flights')).id;
  savedQueryId = (await newSavedQuery(mesh.admin, sourceId, unique('select 1 as one'))).id;
  othersExecutionId = (await run(mesh.admin, sourceId, unique('select 2 as two'), { waitSeconds: 20 })).id;
});

function clientOf(role: RoleName): ApiClient {
  const person = people.get(role);
  if (!person) throw new Error(`nobody is a ${role}`);
  return person.client;
}

/** What a caller is told: OK, or the code of the first failure, be it of the payload or of the operation. */
async function outcome(client: ApiClient, operation: Operation): Promise<string> {
  const { data, errors } = await client.send<Record<string, { errors?: UserError[] } | null>>(
    operation.document,
    operation.variables?.(),
  );
  const [error] = errors;
  if (error) return String(error.extensions?.code);
  const field = data?.[operation.field];
  return field?.errors?.[0]?.code ?? (field === null || field === undefined ? 'NULL' : 'OK');
}

interface Operation {
  field: string;
  document: string;
  variables?: () => Record<string, unknown>;
  /** Which roles may. */
  allowed: readonly RoleName[];
  /** What the others are told; a thing that may not be seen looks like one that does not exist. */
  otherwise?: string;
}

const withSources = ['analyst', 'editor', 'admin'] as const;

const operations: Operation[] = [
  { field: 'viewer', document: '{ viewer { id } }', allowed: roles },
  { field: 'dataSourceTypes', document: '{ dataSourceTypes { name } }', allowed: roles },
  { field: 'dataSources', document: '{ dataSources(first: 1) { nodes { id } } }', allowed: withSources },
  { field: 'savedQueries', document: '{ savedQueries(first: 1) { nodes { id name } } }', allowed: roles },
  { field: 'executions', document: '{ executions(first: 1) { nodes { id } } }', allowed: roles },
  { field: 'apiKeys', document: '{ apiKeys(first: 1) { nodes { id } } }', allowed: roles },
  { field: 'users', document: '{ users(first: 1) { nodes { id } } }', allowed: ['admin'] },
  {
    field: 'execution',
    document: 'query ($id: ID!) { execution(id: $id) { id } }',
    variables: () => ({ id: othersExecutionId }),
    allowed: ['editor', 'admin'],
    otherwise: 'NULL',
  },
  {
    field: 'cancelExecution',
    document: `mutation ($id: ID!) { cancelExecution(id: $id) { ${errorFields} } }`,
    variables: () => ({ id: othersExecutionId }),
    allowed: ['admin'],
    otherwise: 'FORBIDDEN or NOT_FOUND',
  },
  {
    field: 'runQuery',
    document: `mutation ($input: RunQueryInput!) { runQuery(input: $input) { ${errorFields} } }`,
    variables: () => ({ input: sqlInput(sourceId, unique('select 3 as three')) }),
    allowed: withSources,
  },
  {
    field: 'runQuery',
    document: `mutation ($input: RunQueryInput!) { runQuery(input: $input) { ${errorFields} } }`,
    variables: () => ({ input: { query: { savedQuery: { id: savedQueryId } } } }),
    allowed: roles,
  },
  {
    field: 'createSavedQuery',
    document: `mutation ($input: CreateSavedQueryInput!) { createSavedQuery(input: $input) { ${errorFields} } }`,
    variables: () => ({ input: { name: `q ${randomUUID()}`, dataSourceId: sourceId, sql: 'select 1' } }),
    allowed: withSources,
  },
  {
    field: 'deleteSavedQuery',
    document: `mutation ($id: ID!) { deleteSavedQuery(id: $id) { ${errorFields} } }`,
    variables: () => ({ id: 'qry_00000000000000000000000000' }),
    allowed: [],
    otherwise: 'FORBIDDEN or NOT_FOUND',
  },
  {
    field: 'createDataSource',
    document: `mutation ($input: CreateDataSourceInput!) { createDataSource(input: $input) { ${errorFields} } }`,
    variables: () => ({
      input: {
        name: `s_${randomUUID().slice(0, 8)}`,
        type: 'postgres',
        options: { host: 'h', database: 'd', user: 'u' },
      },
    }),
    allowed: ['admin'],
  },
  {
    field: 'testDataSource',
    document: `mutation ($id: ID!) { testDataSource(id: $id) { ${errorFields} } }`,
    variables: () => ({ id: sourceId }),
    allowed: ['admin'],
  },
  {
    field: 'createUser',
    document: `mutation ($input: CreateUserInput!) { createUser(input: $input) { ${errorFields} } }`,
    variables: () => ({ input: { email: `${randomUUID()}@example.com`, name: 'N', roleNames: ['viewer'] } }),
    allowed: ['admin'],
  },
  {
    field: 'createApiKey',
    document: `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { ${errorFields} } }`,
    variables: () => ({ input: { name: 'own' } }),
    allowed: roles,
  },
];

describe('What each role may do', () => {
  describe.each(roles)('%s', (role) => {
    test.each(operations.map((operation, index) => ({ ...operation, index })))('$field ($index)', async (operation) => {
      const told = await outcome(clientOf(role), operation);
      const due = operation.allowed.includes(role) ? 'OK' : (operation.otherwise ?? 'FORBIDDEN');
      expect(due.split(' or ')).toContain(told);
    });
  });

  test('nobody: every operation but viewer is UNAUTHENTICATED', async () => {
    for (const operation of operations.filter(({ field }) => field !== 'viewer')) {
      expect([operation.field, await outcome(mesh.anonymous, operation)]).toEqual([operation.field, 'UNAUTHENTICATED']);
    }
  });
});

describe('What a permission hides', () => {
  test('a viewer reads a saved query without seeing its text or its source', async () => {
    const { savedQueries } = await clientOf('viewer').request<{
      savedQueries: { nodes: { id: string; sql: string | null; dataSource: { id: string } | null }[] };
    }>('{ savedQueries(first: 100) { nodes { id sql dataSource { id } } } }');
    const node = savedQueries.nodes.find(({ id }) => id === savedQueryId);
    expect(node).toEqual({ id: savedQueryId, sql: null, dataSource: null });
  });

  test('the options of a data source are told only to those who manage it', async () => {
    const document = '{ dataSources(first: 100) { nodes { name options } } }';
    type Data = { dataSources: { nodes: { name: string; options: unknown }[] } };
    const [analyst, admin] = await Promise.all([
      clientOf('analyst').request<Data>(document),
      clientOf('admin').request<Data>(document),
    ]);
    expect(analyst.dataSources.nodes.find(({ name }) => name === 'flights_pg')?.options).toBeNull();
    expect(admin.dataSources.nodes.find(({ name }) => name === 'flights_pg')?.options).toMatchObject({
      database: 'flights',
    });
  });

  test('executions lists the caller’s own, and everyone’s only to those who may read them', async () => {
    const document = '{ executions(first: 100) { nodes { id } } }';
    type Data = { executions: { nodes: { id: string }[] } };
    const [analyst, editor] = await Promise.all([
      clientOf('analyst').request<Data>(document),
      clientOf('editor').request<Data>(document),
    ]);
    expect(analyst.executions.nodes.map(({ id }) => id)).not.toContain(othersExecutionId);
    expect(editor.executions.nodes.map(({ id }) => id)).toContain(othersExecutionId);
  });
});

describe('Users', () => {
  test('a user is made with roles, groups and attributes, and is found by search', async () => {
    const email = `made-${randomUUID()}@example.com`;
    const input = { email, name: 'Made', roleNames: ['viewer'], groupNames: ['west'], attributes: { region: 'west' } };
    const { user, errors } = await createUser(mesh.admin, input);
    expect(errors).toEqual([]);
    expect(user).toMatchObject({ ...input, disabled: false, version: 1 });
    const { users } = await mesh.admin.request<{ users: { nodes: { email: string }[]; totalCount: number } }>(
      'query ($search: String) { users(first: 10, search: $search) { nodes { email } totalCount } }',
      { search: email },
    );
    expect(users).toEqual({ nodes: [{ email }], totalCount: 1 });
  });

  test.each([
    ['an unknown role', { roleNames: ['emperor'] }, ['roleNames', '0'], 'INVALID_INPUT'],
    ['an address that is none', { email: 'not an address' }, ['email'], 'INVALID_INPUT'],
    ['an empty name', { name: '' }, ['name'], 'INVALID_INPUT'],
    ['a password that is too short', { password: 'short' }, ['password'], 'INVALID_INPUT'],
  ])('%s is refused at its place', async (_, change, path, code) => {
    const input = { email: `${randomUUID()}@example.com`, name: 'N', roleNames: ['viewer'], ...change };
    const { user, errors } = await createUser(mesh.admin, input);
    expect(user).toBeNull();
    expect(errors[0]).toMatchObject({ code });
    expect(errors[0]?.path.slice(0, 1)).toEqual(path.slice(0, 1));
  });

  test('an address that is taken is CONFLICT with the user who has it', async () => {
    const { user } = await newPerson(mesh.admin, 'viewer');
    const twin = await createUser(mesh.admin, { email: user.email, name: 'Twin', roleNames: ['viewer'] });
    expect(twin.errors[0]).toMatchObject({ code: 'CONFLICT', path: ['email'] });
    expect(twin.user).toMatchObject({ id: user.id });
  });

  test('another writer’s change since gives CONFLICT with the user as it is now', async () => {
    const { user } = await newPerson(mesh.admin, 'viewer');
    const first = await updateUser(mesh.admin, { id: user.id, version: user.version, name: 'First' });
    expect(first.user).toMatchObject({ name: 'First', version: user.version + 1 });
    const second = await updateUser(mesh.admin, { id: user.id, version: user.version, name: 'Second' });
    expect(second.errors[0]).toMatchObject({ code: 'CONFLICT' });
    expect(second.user).toMatchObject({ name: 'First', version: user.version + 1 });
  });

  test('what is absent stays and null clears', async () => {
    const { user } = await newPerson(mesh.admin, 'viewer', { groupNames: ['west'], attributes: { region: 'west' } });
    const { user: changed, errors } = await updateUser(mesh.admin, {
      id: user.id,
      version: user.version,
      attributes: null,
    });
    expect(errors).toEqual([]);
    expect(changed).toMatchObject({ groupNames: ['west'], attributes: {}, roleNames: ['viewer'] });
  });

  test('a role that is taken away is gone within 5 s, in a session that was open before', async () => {
    const { user, client, email, password } = await newPerson(mesh.admin, 'admin');
    const before = await client.send('{ users(first: 1) { totalCount } }');
    expect(before.errors).toEqual([]);
    await updateUser(mesh.admin, { id: user.id, version: user.version, roleNames: ['viewer'] });
    await expect
      .poll(async () => (await client.send('{ users(first: 1) { totalCount } }')).errors[0]?.extensions?.code, {
        timeout: 5_000,
      })
      .toMatch(/FORBIDDEN|UNAUTHENTICATED/);
    expect((await signIn(mesh.anonymous, { email, password })).errors).toEqual([]);
  });
});
