import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#libs/testing';
import { GatewaySuite } from '../../test/gateway-suite.js';
import type { TestGateway } from '../../test/gateway-harness.js';

let suite: GatewaySuite;
beforeAll(async () => {
  suite = await GatewaySuite.start({ SLUICE_DRAIN_SECONDS: '4' });
});
afterAll(() => suite.stop());

/** A client's connection that is kept for the next request. */
class Kept {
  heard = '';
  isClosed = false;
  private readonly socket: Socket;

  constructor(gateway: TestGateway) {
    const { hostname, port, host } = new URL(gateway.url);
    this.socket = connect(Number(port), hostname);
    this.socket.on('data', (data) => (this.heard += data.toString()));
    this.socket.on('close', () => (this.isClosed = true));
    this.socket.on('error', () => undefined);
    this.host = host;
  }

  private readonly host: string;

  /** The head of the answer. */
  async ask(): Promise<string> {
    this.heard = '';
    const body = JSON.stringify({ query: '{ viewer { id } }' });
    this.socket.write(
      `POST /graphql HTTP/1.1\r\nHost: ${this.host}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await until(() => this.heard.includes('viewer'), { what: 'an answer' });
    return this.heard.split('\r\n\r\n')[0]?.toLowerCase() ?? '';
  }
}

describe('A gateway that stops', () => {
  it('answers what comes on connections that were kept, as the last of each, and takes no new ones', async () => {
    const gateway = await suite.startGateway('gateway-3');
    const [used, unused] = [new Kept(gateway), new Kept(gateway)];
    expect(await used.ask()).toContain('connection: keep-alive');
    await unused.ask();
    const drained = gateway.drain();
    await until(
      () =>
        fetch(gateway.url).then(
          () => false,
          () => true,
        ),
      { what: 'a refused connection' },
    );
    expect([used.isClosed, unused.isClosed]).toEqual([false, false]);
    const head = await used.ask();
    expect(head).toMatch(/^http\/1\.1 200 /);
    expect(head).toContain('connection: close');
    await until(() => used.isClosed, { what: 'the end of the connection' });
    expect(unused.isClosed).toBe(false);
    await drained;
  });
});
