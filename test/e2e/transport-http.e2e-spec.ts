import { afterAll, describe, expect, test } from 'vitest';
import { readAnswer, type ApiError } from '../support/api-client.js';
import { sharedMesh } from '../support/running-mesh.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const url = mesh.address(0).url;
const json = { 'content-type': 'application/json' };
const authorization = { authorization: `Key ${mesh.access.apiKey}` };

const post = async (body: string, headers: Record<string, string> = json) =>
  readAnswer<Record<string, unknown>>(
    await fetch(url, { method: 'POST', headers: { ...authorization, ...headers }, body }),
  );
const ask = (query: string) => post(JSON.stringify({ query }));

const codesOf = (errors: ApiError[]): (string | undefined)[] => errors.map((error) => error.extensions?.code);

/** Refused before anything ran: no data, errors with a known code and a request id, no stack, no hint. */
function expectRefused(answer: { status: number; data: unknown; errors: ApiError[] }): void {
  expect(answer.data ?? null).toBeNull();
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status).toBeLessThan(500);
  expect(answer.errors.length).toBeGreaterThan(0);
  expect(codesOf(answer.errors)).toEqual(answer.errors.map(() => 'INVALID_INPUT'));
  expect(answer.errors.every((error) => typeof error.extensions?.requestId === 'string')).toBe(true);
  expect(JSON.stringify(answer.errors)).not.toMatch(/node_modules|\.[jt]s:\d|Did you mean/);
}

const nested = (depth: number): string => `{ ${'viewer { '.repeat(depth)} id ${'} '.repeat(depth)} }`;

describe('Limits of a document over HTTP', () => {
  test.each([
    ['101 aliases', `{ ${Array.from({ length: 101 }, (_, index) => `a${index}: __typename`).join(' ')} }`],
    ['500 times the same field', `{ ${'__typename '.repeat(500)} }`],
    ['10 directives at one place', '{ __typename @include(if: true) @aa@aa@aa@aa@aa@aa@aa@aa@aa@aa }'],
    ['40 directives in all', `{ ${Array.from({ length: 40 }, () => 'viewer @include(if: true) { id }').join(' ')} }`],
    ['50,000 tokens', `{ viewer { ${'id '.repeat(50_000)} } }`],
    ['deep nesting', nested(40)],
    ['fragments that multiply', multiplyingFragments(25)],
    ['fragments in a circle', '{ viewer { ...A } } fragment A on Viewer { ...B } fragment B on Viewer { ...A }'],
    ['nesting that never ends', nested(1_400)],
    ['a field that is not there', '{ viewer { nme } }'],
    ['no document', ''],
  ])('%s: refused before it runs', async (_, query) => {
    const begun = performance.now();
    expectRefused(await ask(query));
    expect(performance.now() - begun).toBeLessThan(2_000);
  });

  test('what any real page asks passes', async () => {
    const answer = await ask(`query Page { viewer { id user { name email roleNames } workspace { slug } permissions }
      dataSources(first: 10, search: "flights") { nodes { id name type { name title } tables(first: 20) { nodes { name columns { name type sourceType } } } } }
      executions(first: 20) { edges { cursor node { id state version dataSource { id name } savedQuery { id name }
        result { id rowCount columns { name type } rows(first: 5) { rows endCursor hasNextPage } } } } pageInfo { hasNextPage endCursor } } }`);
    expect([answer.status, answer.errors]).toEqual([200, []]);
  });
});

describe('HTTP', () => {
  test('a body of 2 MiB is refused with 413', async () => {
    const answer = await post(JSON.stringify({ query: `{ viewer { id } } # ${'x'.repeat(2 * 1024 * 1024)}` }));
    expect(answer.status).toBe(413);
    expect(codesOf(answer.errors)).toEqual(['INVALID_INPUT']);
  });

  test.each([
    ['that is not JSON', '{ not json'],
    ['that is no object', '[]'],
    ['that is a string', '"viewer"'],
    ['that is null', 'null'],
    ['without a query', '{}'],
    ['whose query is a number', '{"query": 1}'],
    ['whose variables are a list', '{"query": "{ viewer { id } }", "variables": []}'],
  ])('a body %s is refused', async (_, body) => {
    expectRefused(await post(body));
  });

  test('a batch is refused', async () => {
    expectRefused(await post(JSON.stringify(Array.from({ length: 10 }, () => ({ query: '{ __typename }' })))));
  });

  test.each(['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=x'])(
    'a body of type %s, which any page may send, is refused',
    async (type) => {
      const answer = await post('query={__typename}', { 'content-type': type });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.data ?? null).toBeNull();
    },
  );

  test('a mutation by GET is refused, and nothing is done', async () => {
    const query = 'mutation { signOut { errors { code } } }';
    const response = await fetch(`${url}?query=${encodeURIComponent(query)}`, {
      headers: { ...authorization, 'apollo-require-preflight': '1' },
    });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(JSON.stringify(await response.json().catch(() => null))).not.toContain('"data":{"signOut"');
  });

  test('a query by GET without a header that forces a preflight is refused', async () => {
    const response = await fetch(`${url}?query=${encodeURIComponent('{ __typename }')}`, { headers: authorization });
    expect(response.status).toBeGreaterThanOrEqual(400);
  });

  test('a foreign origin gets no permission from CORS', async () => {
    const response = await fetch(url, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    });
    expect([null, '']).toContain(response.headers.get('access-control-allow-origin'));
  });

  test('an unknown path is 404 and tells nothing', async () => {
    const response = await fetch(`${mesh.origin}/nothing/here`);
    expect(response.status).toBe(404);
    expect(await response.text()).not.toMatch(/node_modules|at .*:\d+|Express/);
    expect(response.headers.get('x-powered-by')).toBeNull();
  });
});

describe('A request id', () => {
  const idOf = async (headers: Record<string, string>): Promise<string | null> =>
    (
      await fetch(url, { method: 'POST', headers: { ...json, ...headers }, body: '{"query":"{ __typename }"}' })
    ).headers.get('x-request-id');

  test('that is well formed is taken, and returned', async () => {
    expect(await idOf({ 'x-request-id': 'my-request-0001' })).toBe('my-request-0001');
  });

  test.each(['', 'a b', 'x'.repeat(300), '"><script>', '{"a":1}'])(
    '%j is replaced by one of our own',
    async (given) => {
      const id = await idOf({ 'x-request-id': given });
      expect(id).toMatch(/^[A-Za-z0-9_-]{8,}$/);
      expect(id).not.toBe(given);
    },
  );

  test('is in the error of the request that it names', async () => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { ...json, 'x-request-id': 'my-request-0002' },
      body: JSON.stringify({ query: '{ users(first: 1) { totalCount } }' }),
    });
    const { errors } = await readAnswer(response);
    expect(errors[0]?.extensions).toMatchObject({
      code: 'UNAUTHENTICATED',
      requestId: 'my-request-0002',
      retryable: false,
    });
  });
});

describe('X-Forwarded-*', () => {
  test('is not believed from a proxy that nobody has named: it changes no limit and no log', async () => {
    const forged = '203.0.113.77';
    const answers = await Promise.all(
      [1, 2, 3].map(() =>
        post('{"query":"{ __typename }"}', { ...json, 'x-forwarded-for': forged, 'x-forwarded-host': 'evil.example' }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(JSON.stringify(answers)).not.toContain('evil.example');
  });
});

function multiplyingFragments(count: number): string {
  const fragments = Array.from(
    { length: count },
    (_, index) => `fragment F${index} on Viewer { ...F${index + 1} ...F${index + 1} }`,
  );
  return `{ viewer { ...F0 } } ${fragments.join(' ')} fragment F${count} on Viewer { id }`;
}
