import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { guardedFetch, type GuardedFetch } from './guarded-fetch.js';
import { NetworkGuard } from './network-guard.js';
import { RefusedAddress } from './refused-address.js';

let server: Server;
let port: number;
let connections = 0;

beforeEach(async () => {
  connections = 0;
  server = createServer((_request, response) => void response.end('here'));
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // A server on a port has an address of this form.
  ({ port } = server.address() as AddressInfo);
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const fetchBy = (guard: NetworkGuard): ReturnType<typeof guardedFetch> =>
  guardedFetch({ guard, timeoutMs: 5_000, bytesMax: 1_000 });

it('has one connection for requests that follow each other', async () => {
  const fetch = fetchBy(new NetworkGuard(['127.0.0.0/8']));
  for (let request = 0; request < 3; request += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    expect(await answer.text()).toBe('here');
  }
  expect(connections).toBe(1);
});

it('gives up an answer that does not end in its time, and keeps no timer of one that did', async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const fetch = guardedFetch({ guard: new NetworkGuard(['127.0.0.0/8']), timeoutMs: 300, bytesMax: 1_000 });
  const before = timers();
  await fetch(`http://127.0.0.1:${port}/`);
  expect(timers()).toBe(before);
  server.removeAllListeners('request');
  server.on('request', (_request, response: ServerResponse) => void response.write('the beginning'));
  await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
});

it('checks the address of each connection, when it is made, and uses the one that it has checked', async () => {
  const addresses = ['127.0.0.1', '10.0.0.1'];
  const asked: string[] = [];
  const guard = new NetworkGuard(['127.0.0.0/8'], (hostname) => {
    asked.push(hostname);
    return Promise.resolve([{ address: addresses[asked.length - 1] ?? '', family: 4 }]);
  });
  const fetch = fetchBy(guard);
  await fetch(`http://issuer.example:${port}/`);
  // The name leads elsewhere by now, but the connection does not.
  await fetch(`http://issuer.example:${port}/`);
  expect([asked, connections]).toEqual([['issuer.example'], 1]);
  server.closeAllConnections();
  await expect(fetch(`http://issuer.example:${port}/`)).rejects.toBeInstanceOf(RefusedAddress);
  expect(connections).toBe(1);
});

describe('where the server closes the connection that was kept', () => {
  /** Answers the first request; what it does with the second, which comes by the same connection, is the test's. */
  async function askTwice(
    second: (response: ServerResponse) => void,
  ): Promise<{ answer: Promise<Response>; fetch: GuardedFetch }> {
    server.removeAllListeners('request');
    server.on('request', (_request, response: ServerResponse) => {
      requests += 1;
      if (requests === 2) second(response);
      else response.end('here');
    });
    const fetch = fetchBy(new NetworkGuard(['127.0.0.0/8']));
    await fetch(`http://127.0.0.1:${port}/`);
    return { answer: fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'x=1' }), fetch };
  }
  let requests = 0;

  beforeEach(() => {
    requests = 0;
  });

  it('asks again by a new one, where nothing was answered', async () => {
    const { answer } = await askTwice((response) => void response.socket?.resetAndDestroy());
    expect(await (await answer).text()).toBe('here');
    expect([requests, connections]).toEqual([3, 2]);
  });

  it('asks once where an answer has begun: what was asked for may have been done', async () => {
    const { answer, fetch } = await askTwice((response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('half', () => {
        // Sent, and read before the reset overtakes it.
        setImmediate(() => response.socket?.resetAndDestroy());
      });
    });
    await expect(answer).rejects.toThrow();
    // What had been sent again would be there before this one.
    await fetch(`http://127.0.0.1:${port}/`);
    expect([requests, connections]).toEqual([3, 2]);
  });
});
