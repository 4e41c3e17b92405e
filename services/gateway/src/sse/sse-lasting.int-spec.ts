import { request, type IncomingMessage } from 'node:http';
import { createClient } from 'graphql-sse';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runRequests } from '#libs/contracts';
import { AppError, delay } from '#libs/kernel';
import { until } from '#libs/testing';
import { executionEvents } from '../../test/execution-events.js';
import type { FakeRun } from '../../test/fake-run.js';
import { GatewaySuite } from '../../test/gateway-suite.js';

const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);

let suite: GatewaySuite;
beforeAll(async () => {
  process.on('unhandledRejection', note);
  suite = await GatewaySuite.start({ SLUICE_GATEWAY_PING_SECONDS: '2', SLUICE_DRAIN_SECONDS: '4' });
});
afterAll(async () => {
  await suite.stop();
  process.off('unhandledRejection', note);
});

/** The bare answer, as it comes over the wire. */
async function open(url: string, run: FakeRun): Promise<{ answer: IncomingMessage; text: () => string }> {
  const headers = {
    authorization: suite.authorization,
    accept: 'text/event-stream',
    'content-type': 'application/json',
  };
  const variables = { id: run.execution.id, includeRows: true };
  const answer = await new Promise<IncomingMessage>((resolve) => {
    request(`${url}/stream`, { method: 'POST', headers }, resolve).end(
      JSON.stringify({ query: executionEvents, variables }),
    );
  });
  let text = '';
  answer.on('data', (bytes: Buffer) => (text += bytes.toString()));
  // A stream that is cut off is what some of these tests wait for.
  answer.on('error', () => undefined);
  return { answer, text: () => text };
}

const ended = (answer: IncomingMessage) => new Promise((resolve) => answer.once('close', resolve));

describe('An event stream that lasts', () => {
  it('is kept alive by comments while nothing happens', async () => {
    const { answer, text } = await open(suite.gateway.url, suite.newRun());
    await until(() => text().includes('ExecutionSnapshot'));
    const before = text().length;
    await until(() => text().length - before >= 2 * ':\n\n'.length, { timeoutMs: 10_000 });
    expect(text().slice(before)).toMatch(/^(:\n\n)+$/);
    answer.destroy();
    await until(async () => (await suite.gateway.metric('sockets')) === 0);
  });

  it('is cut off when its client takes nothing for an interval, and goes on for one who takes a long row slowly', async () => {
    const run = suite.newRun();
    run.move('RUNNING');
    // More than the buffers of two sockets.
    await run.commitRows(1, JSON.stringify([0, 'x'.repeat(15_000_000)]));
    run.move('SUCCEEDED');
    const stuck = await open(suite.gateway.url, run);
    stuck.answer.pause();
    const slow = await open(suite.gateway.url, run);
    let taken = 0;
    slow.answer.on('data', (bytes: Buffer) => {
      taken += bytes.length;
      slow.answer.pause();
      setTimeout(() => slow.answer.resume(), bytes.length / 2_200);
    });
    const begun = performance.now();
    await ended(slow.answer);
    expect(slow.text().slice(-100)).toMatch(/event: complete\ndata:\n\n$/);
    expect(taken).toBeGreaterThan(15_000_000);
    // Longer than it took to find out that the other one takes nothing.
    expect(performance.now() - begun).toBeGreaterThan(4_500);
    await until(async () => (await suite.gateway.metric('sockets')) === 0, { what: 'the end of the stuck one' });
    stuck.answer.destroy();
  });

  it('keeps its frames whole whatever line breaks a source’s own JSON has', async () => {
    const run = suite.newRun();
    run.move('RUNNING');
    await run.commitRows(1, '[0,{"a":\n\n1,\r\n"b":"c\\n"}]');
    run.move('SUCCEEDED');
    const client = createClient({
      url: `${suite.gateway.url}/stream`,
      headers: { authorization: suite.authorization },
      retryAttempts: 0,
    });
    const rows: unknown[] = [];
    const variables = { id: run.execution.id, includeRows: true };
    for await (const { data } of client.iterate<{ executionEvents: { page?: { rows: unknown[] } } }>({
      query: executionEvents,
      variables,
    })) {
      rows.push(...(data?.executionEvents.page?.rows ?? []));
    }
    expect(rows).toEqual([[0, { a: 1, b: 'c\n' }]]);
  });

  it('that fails ends with the error, and the gateway goes on', async () => {
    const run = suite.newRun();
    const { answer, text } = await open(suite.gateway.url, run);
    await until(() => text().includes('ExecutionSnapshot'));
    const restore = suite.services.answersWith(runRequests.getExecutions, () => ({ executions: [] }));
    run.move('RUNNING');
    run.move('QUEUED');
    await suite.tell(run);
    await ended(answer);
    expect(text()).toMatch(/NOT_FOUND[^]*event: complete/);
    // What nobody handles ends a gateway.
    await delay(50);
    expect(unhandled).toEqual([]);
    restore();
  });

  it('that cannot begin because a service is away breaks off, so that its client comes back', async () => {
    const run = suite.newRun();
    const restore = suite.services.answersWith(runRequests.getExecutions, () => {
      throw new AppError('bus.unavailable', 'Away.', { retryable: true });
    });
    const { answer, text } = await open(suite.gateway.url, run);
    await ended(answer);
    expect(text()).toContain(': closed 1013 Try again later');
    expect(text()).not.toContain('event:');
    restore();
  });

  it('R9: is broken off when its gateway stops, within the time for that, and its client goes on elsewhere with no error and no row lost or told twice', async () => {
    const run = suite.newRun();
    run.move('RUNNING');
    await run.commitRows(3);
    let url = suite.other.url;
    const client = createClient({
      url: () => `${url}/stream`,
      headers: { authorization: suite.authorization },
      retry: () => delay(20),
    });
    const variables: Record<string, unknown> = { id: run.execution.id, includeRows: true };
    const offsets: number[] = [];
    let rows = 0;
    const end = new Promise<unknown>((resolve) => {
      client.subscribe<{ executionEvents: { cursor: string; page?: { offset: number; rows: unknown[] } } }>(
        { query: executionEvents, variables },
        {
          next: ({ data, errors }) => {
            if (errors) resolve(errors);
            variables['after'] = data?.executionEvents.cursor;
            const page = data?.executionEvents.page;
            if (!page) return;
            offsets.push(page.offset);
            rows += page.rows.length;
          },
          error: resolve,
          complete: () => resolve('complete'),
        },
      );
    });
    const bare = await open(suite.other.url, run);
    await until(() => rows === 3 && bare.text().includes('RowsAppended'));
    url = suite.gateway.url;
    const begun = performance.now();
    const drained = suite.other.drain();
    await ended(bare.answer);
    expect(performance.now() - begun).toBeLessThan(4_000);
    expect(bare.text()).toMatch(/: closed 1012 Service restart\n\n$/);
    expect(bare.text()).not.toContain('event: complete');
    await drained;
    await run.commitRows(2);
    run.move('SUCCEEDED');
    await suite.tell(run);
    expect(await end).toBe('complete');
    expect({ offsets, rows }).toEqual({ offsets: [0, 3], rows: 5 });
    // Nothing new is taken meanwhile.
    const refused = await fetch(`${suite.other.url}/stream?query={__typename}`, {
      headers: { authorization: suite.authorization, accept: 'text/event-stream' },
    });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2']);
  });
});
