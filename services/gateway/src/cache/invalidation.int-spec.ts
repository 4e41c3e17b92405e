import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runRequests } from '#libs/contracts';
import { GatewaySuite } from '../../test/gateway-suite.js';

let suite: GatewaySuite;
beforeAll(async () => {
  suite = await GatewaySuite.start();
});
beforeEach(() => {
  suite.forget();
  suite.services.on(runRequests.invalidateCache, ({ tags }) => ({ invalidatedCount: tags.length }));
});
afterAll(() => suite.stop());

async function call(init: RequestInit) {
  const headers = { authorization: suite.authorization, ...init.headers };
  const response = await fetch(suite.gateway.url.replace('/graphql', '/v1/cache/invalidate'), { ...init, headers });
  const answer = (await response.json()) as Record<string, unknown>;
  return { status: response.status, allow: response.headers.get('allow'), answer };
}

const body = JSON.stringify({ tags: ['daily'] });
const refusal = (message: string) => ({
  errors: [{ code: 'INVALID_INPUT', message, path: [], retryable: false, retryAfterSeconds: null }],
  requestId: expect.stringMatching(/^req_/),
});

describe('/v1/cache/invalidate', () => {
  it('takes JSON, with or without a charset', async () => {
    for (const type of ['application/json', 'application/json; charset=utf-8']) {
      const { status, answer } = await call({ method: 'POST', body, headers: { 'content-type': type } });
      expect([status, answer]).toEqual([200, { invalidatedCount: 1 }]);
    }
  });

  it('refuses a body that does not say that it is JSON, and invalidates nothing', async () => {
    for (const type of ['application/x-www-form-urlencoded', 'text/plain']) {
      const { status, answer } = await call({ method: 'POST', body, headers: { 'content-type': type } });
      expect(status).toBe(400);
      expect(answer).toEqual(refusal('Send the body as JSON, with the header content-type: application/json.'));
    }
    expect(suite.services.asked).not.toContain('InvalidateCache');
  });

  it('refuses JSON that cannot be read, or is too large, in its own form', async () => {
    const headers = { 'content-type': 'application/json' };
    const broken = await call({ method: 'POST', body: '{"tags": ', headers });
    expect(broken).toMatchObject({ status: 400, answer: refusal('The body of the request cannot be read as JSON.') });
    const large = await call({ method: 'POST', body: JSON.stringify({ tags: ['x'.repeat(2_000_000)] }), headers });
    expect(large).toMatchObject({ status: 413, answer: refusal('The request is too large.') });
  });

  it('tells nothing of the body to whoever is not signed in', async () => {
    const headers = { authorization: 'Bearer nonsense', 'content-type': 'text/plain' };
    const { status, answer } = await call({ method: 'POST', body, headers });
    expect(status).toBe(401);
    expect(answer).toMatchObject({ errors: [{ code: 'UNAUTHENTICATED' }] });
  });

  it.each(['GET', 'PUT', 'DELETE'])('says by which method it is called to %s', async (method) => {
    expect(await call({ method })).toEqual({ status: 405, allow: 'POST', answer: refusal('Send this by POST.') });
  });
});
