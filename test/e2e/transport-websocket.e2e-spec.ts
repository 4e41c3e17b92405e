import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import { until } from '#libs/testing';
import { executionEventsDocument } from '../support/execution-events.js';
import { cancel, run } from '../support/executions.js';
import { sharedMesh } from '../support/running-mesh.js';
import { endlessQuery } from '../support/slow-queries.js';
import { expiredToken } from '../support/tokens.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const { websocketUrl } = mesh.address(0);
const authorization = `Key ${mesh.access.apiKey}`;
let executionId = '';
beforeAll(async () => {
  executionId = (await run(mesh.admin, (await mesh.source('flights_pg')).id, endlessQuery().text)).id;
});
afterAll(async () => {
  await cancel(mesh.admin, executionId);
});

interface Message {
  type: string;
  id?: string;
  payload?: unknown;
}

/** A bare socket: what a client library would never send can be sent, and every close is seen. */
class RawSocket {
  readonly messages: Message[] = [];
  closed: { code: number; reason: string } | undefined;

  private constructor(readonly socket: WebSocket) {
    // Sent by the server as graphql-transport-ws has it.
    socket.on('message', (data: Buffer) => this.messages.push(JSON.parse(data.toString()) as Message));
    socket.on('close', (code, reason) => (this.closed = { code, reason: reason.toString() }));
    socket.on('error', () => undefined);
  }

  static async open(protocol = 'graphql-transport-ws', options: ClientOptions = {}): Promise<RawSocket> {
    const raw = new RawSocket(new WebSocket(websocketUrl, protocol, options));
    await once(raw.socket, 'open');
    return raw;
  }

  static async ready(): Promise<RawSocket> {
    const raw = await RawSocket.open();
    raw.send({ type: 'connection_init', payload: { authorization } });
    await raw.next('connection_ack');
    return raw;
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  subscribe(id: string, query: string, variables: Record<string, unknown> = {}): void {
    this.send({ type: 'subscribe', id, payload: { query, variables } });
  }

  next(type: string): Promise<Message> {
    return until(() => this.messages.find((message) => message.type === type), { timeoutMs: 10_000, what: type });
  }

  whenClosed(): Promise<{ code: number; reason: string }> {
    return until(() => this.closed, { timeoutMs: 15_000, what: 'the close' });
  }
}

describe('Opening a WebSocket', () => {
  const statusOf = async (protocol: string | undefined, options: ClientOptions): Promise<number> => {
    const socket =
      protocol === undefined ? new WebSocket(websocketUrl, options) : new WebSocket(websocketUrl, protocol, options);
    try {
      return await new Promise<number>((resolve, reject) => {
        socket.on('open', () => resolve(101));
        socket.on('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
        socket.on('error', reject);
      });
    } finally {
      socket.on('error', () => undefined);
      socket.terminate();
    }
  };

  test('from a page of another origin is refused with 403', async () => {
    expect(await statusOf('graphql-transport-ws', { origin: 'https://evil.example' })).toBe(403);
  });

  test('from a page of the gateway’s own origin, or from no page, is allowed', async () => {
    expect(await statusOf('graphql-transport-ws', { origin: mesh.origin })).toBe(101);
    expect(await statusOf('graphql-transport-ws', {})).toBe(101);
  });

  test('on another path is refused', async () => {
    const socket = new WebSocket(`${websocketUrl}/other`, 'graphql-transport-ws');
    const status = await new Promise<number>((resolve) => {
      socket.on('open', () => resolve(101));
      socket.on('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
      socket.on('error', () => resolve(0));
    });
    socket.on('error', () => undefined);
    socket.terminate();
    expect(status).not.toBe(101);
  });

  test('with a protocol that we do not speak is closed with 4406', async () => {
    const raw = await RawSocket.open('graphql-ws');
    expect((await raw.whenClosed()).code).toBe(4406);
  });
});

describe('connection_init', () => {
  test('that never comes: closed with 4408', async () => {
    const raw = await RawSocket.open();
    expect((await raw.whenClosed()).code).toBe(4408);
  });

  test('twice: closed with 4429', async () => {
    const raw = await RawSocket.ready();
    raw.send({ type: 'connection_init' });
    expect((await raw.whenClosed()).code).toBe(4429);
  });

  test.each([
    ['a made-up token', () => Promise.resolve('Bearer made.up.token')],
    ['a made-up key', () => Promise.resolve('Key slk_madeup')],
    ['an expired token', async () => expiredToken(mesh, await mesh.signInAdmin())],
  ])('with %s: closed with 4403, and no word of why beyond that', async (_, credential) => {
    const raw = await RawSocket.open();
    raw.send({ type: 'connection_init', payload: { authorization: await credential() } });
    expect((await raw.whenClosed()).code).toBe(4403);
  });

  test('whose authorization is no text: closed, and the gateway goes on', async () => {
    const raw = await RawSocket.open();
    raw.send({ type: 'connection_init', payload: { authorization: { $gt: '' } } });
    expect((await raw.whenClosed()).code).toBeGreaterThanOrEqual(4400);
    await RawSocket.ready();
  });

  test('is needed first: a subscribe before it is closed with 4401', async () => {
    const raw = await RawSocket.open();
    raw.subscribe('1', '{ __typename }');
    expect((await raw.whenClosed()).code).toBe(4401);
  });
});

describe('Messages', () => {
  test.each([
    ['that are not JSON', 'not json'],
    ['of an unknown type', { type: 'shout' }],
    ['without an id', { type: 'subscribe', payload: { query: '{ __typename }' } }],
    ['that are a list', []],
  ])('%s: closed with 4400', async (_, message) => {
    const raw = await RawSocket.ready();
    raw.send(message);
    expect((await raw.whenClosed()).code).toBe(4400);
  });

  test('of 2 MiB: closed with 1009 before they are held in memory', async () => {
    const raw = await RawSocket.ready();
    raw.subscribe('1', `{ __typename } # ${'x'.repeat(2 * 1024 * 1024)}`);
    expect((await raw.whenClosed()).code).toBe(1009);
  });

  test('with an id that is in use: closed with 4409', async () => {
    const raw = await RawSocket.ready();
    raw.subscribe('1', executionEventsDocument, { id: executionId });
    await raw.next('next');
    raw.subscribe('1', executionEventsDocument, { id: executionId });
    expect((await raw.whenClosed()).code).toBe(4409);
  });

  test('a ping is answered with a pong', async () => {
    const raw = await RawSocket.ready();
    raw.send({ type: 'ping' });
    expect(await raw.next('pong')).toMatchObject({ type: 'pong' });
    raw.socket.terminate();
  });

  test('queries and mutations work as over HTTP', async () => {
    const raw = await RawSocket.ready();
    raw.subscribe('q', '{ viewer { workspace { slug } } }');
    expect((await raw.next('next')).payload).toMatchObject({
      data: { viewer: { workspace: { slug: mesh.access.administrator.workspace } } },
    });
    await raw.next('complete');
    raw.socket.terminate();
  });
});

describe('Limits of a document over a WebSocket are those of HTTP', () => {
  test.each<[string, string, Record<string, unknown>?]>([
    ['101 aliases', `{ ${Array.from({ length: 101 }, (_, index) => `a${index}: __typename`).join(' ')} }`],
    ['500 times the same field', `{ ${'__typename '.repeat(500)} }`],
    ['10 directives at one place', '{ __typename @aa@aa@aa@aa@aa@aa@aa@aa@aa@aa }'],
    ['5,000 tokens', `{ viewer { ${'id '.repeat(5_000)} } }`],
    ['deep nesting', `{ ${'viewer { '.repeat(40)} id ${'} '.repeat(40)} }`],
    ['a variable of the wrong type', 'query ($id: ID!) { node(id: $id) { id } }', { id: { not: 'an id' } }],
    ['an unknown field', 'subscription { nothing }'],
  ])('%s: an error of that operation, and the socket lives on', async (_, query, variables = {}) => {
    const raw = await RawSocket.ready();
    raw.subscribe('bad', query, variables);
    const answer = await until(() => raw.messages.find(({ id }) => id === 'bad'), { timeoutMs: 5_000 });
    expect(JSON.stringify(answer.payload)).toMatch(/INVALID_INPUT/);
    expect(JSON.stringify(answer.payload)).not.toMatch(/Did you mean|node_modules/);
    raw.subscribe('good', '{ __typename }');
    await until(() => raw.messages.find(({ id, type }) => id === 'good' && type === 'next'), { timeoutMs: 5_000 });
    raw.socket.terminate();
  });

  test('300 operations at once: those over the limit are refused, and the rest goes on', async () => {
    const raw = await RawSocket.ready();
    for (let index = 0; index < 300; index += 1)
      raw.subscribe(`s${index}`, executionEventsDocument, { id: executionId });
    await until(() => raw.closed ?? raw.messages.some(({ type }) => type === 'error'), { what: 'a refusal' });
    expect(raw.messages.filter(({ type }) => type === 'next').length).toBeLessThanOrEqual(210);
    raw.socket.terminate();
    await RawSocket.ready();
  });
});
