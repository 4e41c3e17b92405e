import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunningMesh } from '../support/running-mesh.js';
import { TestMesh } from '../support/test-mesh.js';

// The thirteen scenarios of graphql-cop, with a valid credential, as a refusal for want of one would prove nothing.
// Introspection is off, as it would be on a gateway that faces strangers.
let started: TestMesh;
let mesh: RunningMesh;
beforeAll(async () => {
  started = await TestMesh.start({ env: { SLUICE_GATEWAY_INTROSPECTION: 'false' } });
  mesh = new RunningMesh(started.accessData);
});
afterAll(async () => {
  await mesh.close();
  await started.stop();
});

interface Body {
  data?: Record<string, unknown> | null;
  errors?: { message: string; extensions?: Record<string, unknown> }[];
  extensions?: Record<string, unknown>;
}

const credential = () => ({ authorization: `Key ${mesh.access.apiKey}` });

async function ask(body: unknown): Promise<Body | Body[]> {
  const response = await fetch(mesh.address(0).url, {
    method: 'POST',
    headers: { ...credential(), 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (await response.json()) as Body | Body[];
}

async function query(text: string): Promise<Body> {
  const body = await ask({ query: text });
  if (Array.isArray(body)) throw new Error('a list was answered');
  return body;
}

async function get(parameters: Record<string, string>, method: string): Promise<string> {
  const url = `${mesh.address(0).url}?${new URLSearchParams(parameters).toString()}`;
  return (await fetch(url, { method, headers: credential() })).text();
}

describe('graphql-cop', () => {
  test('the control: an ordinary query is answered', async () => {
    expect(await query('{ __typename viewer { id } }')).toMatchObject({ data: { __typename: 'Query', viewer: {} } });
  });

  test('alias overloading: 101 aliases are not answered', async () => {
    const aliases = Array.from({ length: 101 }, (_, index) => `alias${index}:__typename`).join(' \n');
    expect((await query(`query cop { ${aliases} }`)).data?.['alias100']).toBeUndefined();
  });

  test('batching: a list of ten is not answered', async () => {
    const body = await ask(
      Array.from({ length: 10 }, () => ({ query: 'query cop { __typename }', operationName: 'cop' })),
    );
    expect(Array.isArray(body) && body.length >= 10).toBe(false);
  });

  test('circular introspection is not answered', async () => {
    const { data } = await query(
      'query cop { __schema { types { fields { type { fields { type { fields { type { fields { type { name } } } } } } } } } } }',
    );
    expect(data?.['__schema'] ?? null).toBeNull();
  });

  test('directive overloading: ten unknown directives give fewer than ten errors', async () => {
    const { errors } = await query('query cop { __typename @aa@aa@aa@aa@aa@aa@aa@aa@aa@aa }');
    expect(errors?.length).toBeLessThan(10);
  });

  test('field duplication: 500 of one field are not answered', async () => {
    expect((await query(`query cop { ${'__typename \n'.repeat(500)} }`)).data?.['__typename']).toBeUndefined();
  });

  test('field suggestions: no hint at names', async () => {
    expect(JSON.stringify(await query('query cop { __schema { directive } }'))).not.toContain('Did you mean');
    expect(JSON.stringify(await query('query cop { viewr { id } }'))).not.toContain('Did you mean');
  });

  test('mutation by GET is not answered', async () => {
    expect(await get({ query: 'mutation cop {__typename}' }, 'GET')).not.toContain('"Mutation"');
  });

  test('query by GET is not answered', async () => {
    expect(await get({ query: 'query cop {__typename}' }, 'GET')).not.toContain('"__typename"');
  });

  test('no GraphiQL or playground anywhere', async () => {
    for (const path of ['/', '/graphiql', '/playground', '/console', '/graphql']) {
      const response = await fetch(`${mesh.origin}${path}`, { headers: { accept: 'text/html' } });
      expect(response.headers.get('content-type')).not.toContain('text/html');
      expect(await response.text()).not.toMatch(/graphql.playground|apollo.sandbox|<html/i);
    }
  });

  test('introspection that is turned off is not answered', async () => {
    expect(
      (await query('query cop { __schema { types { name fields { name } } } }')).data?.['__schema'],
    ).toBeUndefined();
  });

  test('POST without JSON is not answered', async () => {
    expect(await get({ query: 'query cop {__typename}' }, 'POST')).not.toContain('"__typename"');
  });

  test('no tracing in extensions', async () => {
    const { errors, extensions } = await query('query cop { __typename }');
    expect([errors?.[0]?.extensions?.['tracing'], extensions?.['tracing']]).toEqual([undefined, undefined]);
  });

  test('no exception in errors', async () => {
    const { errors } = await query('qwerty cop { abc }');
    expect(errors?.length).toBeGreaterThan(0);
    expect(errors?.[0]?.extensions?.['exception']).toBeUndefined();
    expect(JSON.stringify(errors)).not.toMatch(/stacktrace|node_modules/);
  });
});
