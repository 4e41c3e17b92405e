import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { authRequests } from '#libs/contracts';
import { AppError, delay, newId } from '#libs/kernel';
import { until } from '#libs/testing';
import { collect, executionEvents } from '../../test/execution-events.js';
import { GatewaySuite } from '../../test/gateway-suite.js';

let suite: GatewaySuite;
beforeAll(async () => {
  suite = await GatewaySuite.start();
});
beforeEach(() => suite.forget());
afterAll(() => suite.stop());

describe('the gateway subscribed to', () => {
  it('holds documents to the same limits as over HTTP, and a socket to its number of operations', async () => {
    const client = suite.gateway.connect(suite.authorization);
    const errorOf = (query: string, variables = {}) =>
      new Promise<unknown>((resolve) => {
        client.subscribe({ query, variables }, { next: () => {}, error: resolve, complete: () => resolve(undefined) });
      });
    expect(await errorOf(`{ __typename ${'@aa'.repeat(10)} }`)).toMatchObject([
      { extensions: { code: 'INVALID_INPUT' } },
    ]);
    const run = suite.newRun();
    const open = Array.from({ length: 3 }, () => collect(client, { id: run.execution.id }));
    await until(() => open.every(({ events }) => events.length === 1));
    expect(await errorOf(executionEvents, { id: run.execution.id })).toMatchObject([
      { extensions: { code: 'RATE_LIMITED', retryable: true } },
    ]);
    open[0]?.end();
    const again = await until(async () => {
      const next = collect(client, { id: run.execution.id });
      await Promise.race([next.done, until(() => next.events.length === 1)]);
      return next.events.length === 1;
    });
    expect(again).toBe(true);
    await client.dispose();
  });

  it('closes a socket without credentials, with bad ones, and when they have ended, and says why', async () => {
    const closeOf = async (header: string | undefined): Promise<{ code: number; reason: string }> => {
      const socket = new WebSocket(suite.gateway.url.replace('http', 'ws'), 'graphql-transport-ws');
      socket.on('open', () =>
        socket.send(JSON.stringify({ type: 'connection_init', payload: header ? { authorization: header } : {} })),
      );
      return new Promise((resolve) => {
        socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
      });
    };
    expect(await closeOf(undefined)).toEqual({ code: 4401, reason: 'Unauthorized' });
    expect(await closeOf('slk_without_its_scheme')).toEqual({
      code: 4403,
      reason: expect.stringContaining('"Key <API key>"'),
    });
    expect(await closeOf('Bearer nonsense')).toMatchObject({ code: 4403 });
    // Five seconds are allowed for.
    const ending = await suite.tokenFor({ expiresAt: new Date(Date.now() - 3_000) });
    expect(await closeOf(`Bearer ${ending}`)).toEqual({
      code: 4403,
      reason: 'The access token has expired. Refresh the session.',
    });
  });

  it('takes only so many sockets of one address that have not said whose they are', async () => {
    // Open for as long as it takes to say whose it is, or closed at once.
    const open = (): Promise<number> => {
      const socket = new WebSocket(suite.gateway.url.replace('http', 'ws'), 'graphql-transport-ws');
      strangers.push(socket);
      return new Promise((resolve) => {
        socket.on('close', resolve);
        socket.on('open', () => void delay(200).then(() => resolve(101)));
      });
    };
    const strangers: WebSocket[] = [];
    const answers = await Promise.all(Array.from({ length: 25 }, open));
    expect(answers.filter((status) => status === 101)).toHaveLength(20);
    expect(answers.filter((status) => status === 1013)).toHaveLength(5);
    for (const socket of strangers) socket.terminate();
    await until(async () => (await open()) === 101);
    for (const socket of strangers) socket.terminate();
  });

  it('tells auth where one signs in from, over a socket too', async () => {
    const addresses: (string | undefined)[] = [];
    suite.services.on(authRequests.signIn, ({ clientAddress }) => {
      addresses.push(clientAddress);
      throw new AppError('auth.credentials_wrong', 'Wrong.');
    });
    const client = suite.gateway.connect(suite.authorization);
    const query = 'mutation { signIn(input: { email: "a@b.c", password: "x" }) { accessToken } }';
    for await (const { errors } of client.iterate({ query })) expect(errors).toBeUndefined();
    expect(addresses.map((address) => address?.replace('::ffff:', ''))).toEqual(['127.0.0.1']);
  });

  it.each([
    ['session is revoked', 'SESSION'],
    ['user has other rights', 'USER'],
  ] as const)('closes a socket within five seconds when its %s', async (_, subject) => {
    const subjectId = newId(subject === 'SESSION' ? 'session' : 'user');
    const token = await suite.tokenFor(subject === 'SESSION' ? { sessionId: subjectId } : { userId: subjectId });
    const client = suite.gateway.connect(`Bearer ${token}`);
    const { events, done } = collect(client, { id: suite.newRun().execution.id });
    await until(() => events.length === 1);
    const begun = performance.now();
    suite.revoked.push({ subject, subjectId, notBefore: new Date(Date.now() + 1_000) });
    expect(await done).toMatchObject({ code: 4403 });
    expect(performance.now() - begun).toBeLessThan(5_000);
  });

  it('R8: holds back for a client that does not read, whatever others read', async () => {
    const pages = 60;
    const run = suite.newRun();
    run.move('RUNNING');
    const wide = JSON.stringify([0, 'x'.repeat(400_000)]);
    for (let page = 0; page < pages; page++) await run.commitRows(1, wide);
    run.move('SUCCEEDED');
    const variables = { id: run.execution.id, includeRows: true };
    const client = suite.gateway.connect(suite.authorization);
    const readAll = async (): Promise<void> => {
      const { events, done } = collect(client, variables);
      await done;
      expect(events.filter(({ __typename }) => __typename === 'RowsAppended')).toHaveLength(pages);
    };
    const atFirst = await suite.gateway.pagesRead();
    await readAll();
    const forOne = (await suite.gateway.pagesRead()) - atFirst;

    const stuck = new WebSocket(suite.gateway.url.replace('http', 'ws'), 'graphql-transport-ws');
    const send = (message: object): void => stuck.send(JSON.stringify(message));
    const acknowledged = new Promise((resolve) => stuck.once('message', resolve));
    stuck.on('open', () => send({ type: 'connection_init', payload: { authorization: suite.authorization } }));
    await acknowledged;
    stuck.pause();
    send({ id: '1', type: 'subscribe', payload: { query: executionEvents, variables } });
    await readAll();
    // What the stuck client was sent fits into the buffers of two sockets; the rest is still in the store.
    expect((await suite.gateway.pagesRead()) - atFirst).toBeLessThan(3 * forOne);
    const offsets: unknown[] = [];
    stuck.on('message', (data: Buffer) => {
      const offset = /"offset":(\d+)/.exec(data.toString())?.[1];
      if (offset !== undefined) offsets.push(Number(offset));
    });
    stuck.resume();
    await until(() => offsets.length === pages, { what: 'the rest' });
    expect(offsets).toEqual(Array.from({ length: pages }, (_, index) => index));
    stuck.terminate();
    await client.dispose();
  });

  it('R8: closes a socket with 1013 when more waits for its client than the bound, and goes on with the others', async () => {
    const run = suite.newRun();
    run.move('RUNNING');
    for (let page = 0; page < 20; page++) await run.commitRows(1, JSON.stringify([0, 'x'.repeat(400_000)]));
    const stuck = new WebSocket(suite.gateway.url.replace('http', 'ws'), 'graphql-transport-ws');
    const send = (message: object): void => stuck.send(JSON.stringify(message));
    const acknowledged = new Promise((resolve) => stuck.once('message', resolve));
    stuck.on('open', () => send({ type: 'connection_init', payload: { authorization: suite.authorization } }));
    await acknowledged;
    const closed = new Promise<number>((resolve) => stuck.once('close', resolve));
    stuck.pause();
    const query = 'query ($id: ID!) { execution(id: $id) { result { rows(first: 20) { rows } } } }';
    // Answers of queries are bounded one by one; three of 8 MB are more than a socket may have.
    for (const id of ['1', '2', '3']) {
      send({ id, type: 'subscribe', payload: { query, variables: { id: run.execution.id } } });
    }
    const slowAtFirst = await suite.gateway.metric('sockets_shed_total');
    await until(async () => (await suite.gateway.metric('sockets_shed_total')) > slowAtFirst);
    stuck.resume();
    expect(await closed).toBe(1013);
    expect((await suite.gateway.ask('{ __typename }')).data).toEqual({ __typename: 'Query' });
  });

  it('refuses upgrades from pages of other origins and at other paths', async () => {
    const refusalOf = (url: string, origin?: string) =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(url, 'graphql-transport-ws', origin === undefined ? {} : { origin });
        socket.on('error', ({ message }) => resolve(message));
        socket.on('open', () => {
          socket.close();
          resolve('open');
        });
      });
    const url = suite.gateway.url.replace('http', 'ws');
    expect(await refusalOf(url, 'https://evil.example')).toContain('403');
    expect(await refusalOf(url, 'https://app.example.com')).toBe('open');
    expect(await refusalOf(url.replace('/graphql', '/other'))).toContain('404');
  });

  it('closes its sockets with 1012 when it stops, and takes no more', async () => {
    const socket = new WebSocket(suite.other.url.replace('http', 'ws'), 'graphql-transport-ws');
    const closed = new Promise<number>((resolve) => socket.on('close', resolve));
    await new Promise((resolve) => socket.on('open', resolve));
    await suite.other.drain();
    expect(await closed).toBe(1012);
  });
});
