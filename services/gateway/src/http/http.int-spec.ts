import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { authRequests } from '#libs/contracts';
import { AppError, newId } from '#libs/kernel';
import { GatewaySuite } from '../../test/gateway-suite.js';

let suite: GatewaySuite;
beforeAll(async () => {
  suite = await GatewaySuite.start();
});
beforeEach(() => suite.forget());
afterAll(() => suite.stop());

const viewer = '{ viewer { id workspace { slug } attributes } }';

describe('the gateway asked over HTTP', () => {
  it('knows its caller by an access token', async () => {
    const { data, errors } = await suite.gateway.ask(viewer, {}, { authorization: suite.authorization });
    expect(errors).toBeUndefined();
    expect(data).toEqual({ viewer: { id: 'viewer-1', workspace: { slug: 'acme' }, attributes: {} } });
  });

  it('repeats no address that it has nothing at: it may hold the signature of a download', async () => {
    const { origin } = new URL(suite.gateway.url);
    for (const [method, place] of [
      ['POST', '/v1/downloads/result.csv'],
      ['GET', '/v1/nothing'],
    ] as const) {
      const response = await fetch(`${origin}${place}?signature=secret-of-a-file`, { method });
      expect(response.status, place).toBe(404);
      const body = await response.text();
      expect(body).toContain('Nothing is here for this method.');
      expect(body).not.toMatch(/secret-of-a-file|v1/);
    }
  });

  it('has no viewer and no error where nobody is signed in', async () => {
    const { status, data, errors } = await suite.gateway.ask(viewer);
    expect([status, data, errors]).toEqual([200, { viewer: null }, undefined]);
  });

  it('refuses a bad or expired token, for the fields that need a caller and by its status', async () => {
    const expired = `Bearer ${await suite.tokenFor({ expiresAt: new Date(Date.now() - 60_000) })}`;
    for (const bad of ['Bearer nonsense', 'Basic dXNlcjpwYXNz', expired]) {
      const { status, data, errors } = await suite.gateway.ask(viewer, {}, { authorization: bad });
      expect([status, data], bad).toEqual([401, { viewer: null }]);
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'UNAUTHENTICATED', retryable: false });
    }
  });

  it('lets one sign in with a bad token at hand, and tells wrong credentials as data', async () => {
    suite.services.on(authRequests.signIn, () => {
      throw new AppError('auth.credentials_wrong', 'Wrong.');
    });
    const mutation =
      'mutation { signIn(input: { email: "a@b.c", password: "x" }) { accessToken errors { code path } } }';
    const { status, data } = await suite.gateway.ask(mutation, {}, { authorization: 'Bearer nonsense' });
    expect([status, data]).toEqual([
      200,
      { signIn: { accessToken: null, errors: [{ code: 'UNAUTHENTICATED', path: [] }] } },
    ]);
  });

  it('exchanges an API key once for many requests, under either scheme, and forgets it when its token is refused', async () => {
    let exchanges = 0;
    const apiKeyId = newId('apiKey');
    suite.services.on(authRequests.exchangeApiKey, async ({ secret }) => {
      exchanges += 1;
      if (secret !== 'slk_good') throw new AppError('auth.credentials_wrong', 'Unknown key.');
      return { accessToken: await suite.tokenFor({ apiKeyId }), expiresAt: new Date(Date.now() + 60_000) };
    });
    const ask = (header: string) => suite.gateway.ask(viewer, {}, { authorization: header });
    await Promise.all([ask('Bearer slk_good'), ask('Key slk_good'), ask('Key slk_good')]);
    expect((await ask('Key slk_good')).data?.['viewer']).not.toBeNull();
    expect(exchanges).toBe(1);
    expect((await ask('Key slk_bad')).status).toBe(401);
    expect((await ask('Key slk_bad')).status).toBe(401);
    expect(exchanges).toBe(3);
  });

  it('masks what it did not expect, under an id that is the request’s own', async () => {
    suite.services.on(authRequests.listApiKeys, () => {
      throw new Error('password=hunter2');
    });
    const { headers, data, errors } = await suite.gateway.ask(
      '{ viewer { id } apiKeys(first: 1) { totalCount } }',
      {},
      { authorization: suite.authorization, 'x-request-id': 'my-request-1' },
    );
    expect(headers.get('x-request-id')).toBe('my-request-1');
    expect(data).toEqual({ viewer: { id: 'viewer-1' }, apiKeys: null });
    expect(errors).toEqual([
      expect.objectContaining({
        path: ['apiKeys'],
        extensions: expect.objectContaining({ code: 'INTERNAL', requestId: 'my-request-1' }),
      }),
    ]);
    expect(JSON.stringify(errors)).not.toContain('hunter2');
  });

  it('makes a request id where the caller’s is not well formed', async () => {
    const { headers } = await suite.gateway.ask(viewer, {}, { 'x-request-id': 'no spaces here' });
    expect(headers.get('x-request-id')).toMatch(/^req_/);
  });

  it('refuses documents that are too large in any way, before they are validated', async () => {
    const deep = `{ ${'a { '.repeat(20)} b ${'} '.repeat(20)} }`;
    const documents = [
      deep,
      `{ ${Array.from({ length: 101 }, (_, n) => `a${n}: __typename`).join(' ')} }`,
      `{ ${'__typename '.repeat(500)} }`,
      `{ __typename ${'@aa'.repeat(10)} }`,
      `{ ${'a '.repeat(4_000)} }`,
    ];
    for (const query of documents) {
      const { status, errors } = await suite.gateway.ask(query);
      expect(status, query.slice(0, 40)).toBe(400);
      expect(errors).toHaveLength(1);
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'INVALID_INPUT' });
    }
  });

  it('suggests nothing, takes no batches, no mutation by GET and no form', async () => {
    const { errors } = await suite.gateway.ask('{ viewr { id } }');
    expect(errors?.[0]?.message).not.toContain('Did you mean');
    const json = { 'content-type': 'application/json' };
    const batch = await fetch(suite.gateway.url, { method: 'POST', headers: json, body: '[{"query":"{__typename}"}]' });
    expect(batch.status).toBe(400);
    const got = await fetch(`${suite.gateway.url}?query=mutation{signOut{errors{code}}}`, {
      headers: { 'apollo-require-preflight': '1' },
    });
    expect(got.status).toBe(405);
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const posted = await fetch(suite.gateway.url, { method: 'POST', headers: form, body: 'query={__typename}' });
    expect(posted.status).toBe(400);
  });

  it('answers what is no JSON or too much of it as GraphQL errors', async () => {
    const send = (body: string) =>
      fetch(suite.gateway.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const malformed = await send('{"query": ');
    expect(malformed.status).toBe(400);
    expect(await malformed.json()).toMatchObject({ errors: [{ extensions: { code: 'INVALID_INPUT' } }] });
    expect((await send(JSON.stringify({ query: 'x'.repeat(2_000_000) }))).status).toBe(413);
  });

  it('serves pages of known origins and tells others nothing', async () => {
    const from = (origin: string) => suite.gateway.ask('{ __typename }', {}, { origin });
    const known = await from('https://app.example.com');
    expect(known.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
    expect((await from('https://evil.example')).status).toBe(403);
  });
});
