import { createClient, type Client } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { delay } from '#libs/kernel';
import { executionEvents } from '../../test/execution-events.js';
import type { FakeRun } from '../../test/fake-run.js';
import { GatewaySuite } from '../../test/gateway-suite.js';

let suite: GatewaySuite;
beforeAll(async () => {
  suite = await GatewaySuite.start();
});
afterAll(() => suite.stop());

/** Fewer than the suite lets wait from one address. */
const clients = 18;

/** A client as docs/subscriptions.md has it: graphql-ws with its own way of trying again, and a cursor that moves on. */
class Reader {
  readonly offsets: number[] = [];
  readonly closes: number[] = [];
  rows = 0;
  end: unknown = 'none';
  private readonly client: Client;

  constructor(run: FakeRun, url: () => string) {
    this.client = createClient({
      url,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: suite.authorization },
      on: { closed: (event) => this.closes.push((event as { code: number }).code) },
    });
    const variables: Record<string, unknown> = { id: run.execution.id, includeRows: true };
    this.client.subscribe<{ executionEvents: { cursor: string; page?: { offset: number; rows: unknown[] } } }>(
      { query: executionEvents, variables },
      {
        next: ({ data }) => {
          variables['after'] = data?.executionEvents.cursor;
          const page = data?.executionEvents.page;
          if (!page) return;
          this.offsets.push(page.offset);
          this.rows += page.rows.length;
        },
        error: (error) => (this.end = error),
        complete: () => (this.end = 'complete'),
      },
    );
  }

  async dispose(): Promise<void> {
    await this.client.dispose();
  }
}

describe('A rolling restart of gateways', () => {
  it(
    'R9: is no error to a client, loses and repeats no row, and brings no storm of reconnects',
    { timeout: 60_000 },
    async () => {
      const run = suite.newRun();
      run.move('RUNNING');
      let gateways = [suite.gateway];
      const readers = Array.from(
        { length: clients },
        (_, index) =>
          new Reader(run, () => (gateways[index % gateways.length] ?? suite.gateway).url.replace('http', 'ws')),
      );
      const commits = (async () => {
        for (let page = 0; page < 100; page += 1) {
          await run.commitRows(3);
          await suite.tellRows(run);
          await delay(100);
        }
        run.move('SUCCEEDED');
        await suite.tell(run);
      })();
      await delay(1_000);
      // As a rolling restart goes: the new ones take over while the old ones drain.
      for (const [old, name] of [
        [suite.gateway, 'gateway-3'],
        [suite.other, 'gateway-4'],
      ] as const) {
        gateways = [
          ...gateways.filter((each) => each !== old),
          old === suite.gateway ? suite.other : await suite.startGateway(name),
        ];
        await old.drain();
        await delay(4_000);
      }
      await commits;
      while (readers.some(({ end }) => end === 'none')) await delay(50);
      for (const { end, rows, offsets, closes } of readers) {
        expect({ end, rows }).toEqual({ end: 'complete', rows: 300 });
        expect(offsets).toEqual([...new Set(offsets)].sort((one, other) => one - other));
        expect(closes.every((code) => [1012, 1000].includes(code))).toBe(true);
        // One for each gateway that went away, and the client's own end.
        expect(closes.length).toBeLessThanOrEqual(3);
      }
      await Promise.all(readers.map((reader) => reader.dispose()));
    },
  );
});
