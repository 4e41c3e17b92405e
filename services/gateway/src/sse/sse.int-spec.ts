import { createClient, type Client } from 'graphql-sse';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '#libs/kernel';
import { until } from '#libs/testing';
import { executionEvents, namesOf } from '../../test/execution-events.js';
import type { FakeRun } from '../../test/fake-run.js';
import { GatewaySuite } from '../../test/gateway-suite.js';

let suite: GatewaySuite;
beforeAll(async () => {
  suite = await GatewaySuite.start();
});
beforeEach(() => suite.forget());
afterAll(() => suite.stop());

type Event = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any -- events of any kind

function clientOf(url: string, authorization: string, retryAttempts = 0): Client {
  return createClient({ url: `${url}/stream`, headers: { authorization }, retryAttempts });
}

/** Collects events until the subscription ends; the variables go on to where it is, for when the client comes back. */
function collect(client: Client, variables: Record<string, unknown>, query = executionEvents) {
  const events: Event[] = [];
  const errors: unknown[] = [];
  let end = (): void => undefined;
  const done = new Promise<unknown>((resolve) => {
    end = client.subscribe<Event>(
      { query, variables },
      {
        next: ({ data, errors: found }) => {
          if (found) errors.push(...found);
          const event = data?.['executionEvents'] as Event | undefined;
          if (event) variables['after'] = event['cursor'];
          if (event) events.push(event);
        },
        error: resolve,
        complete: () => resolve(undefined),
      },
    );
  });
  return { events, errors, done, end };
}

/** The answer to a bare request, without its body. */
async function statusOf(init: RequestInit, path = '/stream'): Promise<number> {
  const leaving = new AbortController();
  const response = await fetch(`${suite.gateway.url}${path}`, { ...init, signal: leaving.signal });
  leaving.abort();
  return response.status;
}

const eventsOf = (run: FakeRun) => ({ id: run.execution.id, includeRows: true });

describe('GraphQL over SSE at /graphql/stream', () => {
  it('tells the snapshot, each change, all rows before the final state, and completes', async () => {
    const run = suite.newRun();
    const { events, done } = collect(clientOf(suite.gateway.url, suite.authorization), eventsOf(run));
    await until(() => events.length === 1);
    run.move('RUNNING');
    await suite.tell(run);
    await until(() => events.length === 2);
    await run.commitRows(4);
    await suite.tellRows(run);
    await until(() => events.length === 3);
    run.move('SUCCEEDED');
    await suite.tell(run);
    expect(await done).toBeUndefined();
    expect(namesOf(events)).toEqual([
      'ExecutionSnapshot',
      'ExecutionStateChanged',
      'RowsAppended',
      'ExecutionStateChanged',
    ]);
    expect(events[2]?.['page'].rows[0]).toEqual([0, 'ž\u2028"']);
  });

  it('carries queries too, and mutations by POST alone', async () => {
    const { events } = collect(clientOf(suite.gateway.url, suite.authorization), {}, '{ viewer { id } }');
    expect(events).toEqual([]);
    const address = (query: string) => `/stream?query=${encodeURIComponent(query)}`;
    const textOf = async (query: string): Promise<string> =>
      (
        await fetch(`${suite.gateway.url}${address(query)}`, {
          headers: { authorization: suite.authorization, accept: 'text/event-stream' },
        })
      ).text();
    expect(await textOf('{ viewer { id } }')).toBe(
      ':\n\nevent: next\ndata: {"data":{"viewer":{"id":"viewer-1"}},"extensions":{"cost":{"fields":2,"depth":2}}}\n\nevent: complete\ndata:\n\n',
    );
    expect(await textOf('mutation { signOut { signedOut } }')).toMatch(/INVALID_INPUT[^]*event: complete/);
  });

  it('holds documents to the limits of HTTP and WebSocket, told as events so that no client tries again', async () => {
    const run = suite.newRun();
    const refused = collect(
      clientOf(suite.gateway.url, suite.authorization, 5),
      eventsOf(run),
      `{ ${'viewer { '.repeat(40)} id ${'} '.repeat(40)} }`,
    );
    expect(await refused.done).toBeUndefined();
    expect(refused.errors).toMatchObject([{ extensions: { code: 'INVALID_INPUT' } }]);
    const unknown = collect(clientOf(suite.gateway.url, suite.authorization), { id: newId('execution') });
    await unknown.done;
    expect(unknown.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
  });

  it('tells a fault in mid-stream as the last event, and goes on for everyone else', async () => {
    const run = suite.newRun();
    run.move('RUNNING');
    await run.commitRows(4);
    run.move('SUCCEEDED');
    const query = `subscription ($id: ID!) {
      executionEvents(id: $id, includeRows: true, columns: ["absent"]) { __typename cursor } }`;
    const unhandled: unknown[] = [];
    const note = (error: unknown): number => unhandled.push(error);
    process.on('unhandledRejection', note);
    const { events, errors, done } = collect(clientOf(suite.gateway.url, suite.authorization), eventsOf(run), query);
    await done;
    expect(namesOf(events)).toEqual(['ExecutionSnapshot']);
    expect(errors).toMatchObject([{ extensions: { code: 'INVALID_INPUT' } }]);
    // The connection has been closed, and the subscription behind it is left once more.
    await until(async () => (await suite.gateway.metric('watches')) === 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it.each([
    ['without credentials', {}, 401],
    ['with bad ones', { authorization: 'Bearer nonsense' }, 401],
    ['of another origin', { origin: 'https://evil.example.com' }, 403],
    ['that takes no events', { accept: 'application/json' }, 406],
    ['that is no JSON', { 'content-type': 'text/plain' }, 400],
  ])('refuses a request %s', async (_, headers, status) => {
    const good = {
      authorization: suite.authorization,
      accept: 'text/event-stream',
      'content-type': 'application/json',
    };
    const all = 'authorization' in headers || status !== 401 ? { ...good, ...headers } : { ...good, authorization: '' };
    expect(await statusOf({ method: 'POST', body: '{"query":"{ __typename }"}', headers: all })).toBe(status);
  });

  it('refuses a body beyond the bound, and methods of other modes', async () => {
    const headers = {
      authorization: suite.authorization,
      accept: 'text/event-stream',
      'content-type': 'application/json',
    };
    const body = JSON.stringify({ query: `{ __typename } # ${'x'.repeat(2 * 1024 * 1024)}` });
    expect(await statusOf({ method: 'POST', body, headers })).toBe(413);
    expect(await statusOf({ method: 'PUT', headers })).toBe(405);
  });

  it('ends a stream within five seconds of its session’s revocation, and its client comes back to a 401', async () => {
    const sessionId = newId('session');
    const authorization = `Bearer ${await suite.tokenFor({ sessionId })}`;
    const run = suite.newRun();
    const { events, done } = collect(clientOf(suite.gateway.url, authorization), { id: run.execution.id });
    await until(() => events.length === 1);
    const revokedAt = performance.now();
    suite.revoked.push({ subject: 'SESSION', subjectId: sessionId, notBefore: new Date(Date.now() + 1_000) });
    await done;
    expect(performance.now() - revokedAt).toBeLessThan(5_000);
    expect(
      await statusOf({ headers: { authorization, accept: 'text/event-stream' } }, '/stream?query={__typename}'),
    ).toBe(401);
  });

  it('lets go of what it held when its client leaves', async () => {
    const run = suite.newRun();
    const { events, end } = collect(clientOf(suite.gateway.url, suite.authorization), { id: run.execution.id });
    await until(() => events.length === 1);
    end();
    await until(
      async () => (await suite.gateway.metric('sockets')) === 0 && (await suite.gateway.metric('watches')) === 0,
    );
  });
});
