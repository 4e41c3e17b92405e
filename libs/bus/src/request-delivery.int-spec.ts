import { context as traceContext, trace } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { envelopeCodec, workerRequests } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { startTracing } from '#libs/telemetry';
import { TcpProxy, until } from '#libs/testing';
import { BusFixture } from '../test/fixture.js';
import { ConsumerJanitor } from './consumer-janitor.js';
import { DirectedRequests } from './directed-requests.js';
import { serviceContext } from './message-context.js';

const yes = { stopping: true };

function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe('a request', () => {
  it('that nobody took in time is taken back, so that it is surely not done, and says so', async () => {
    await using bus = await BusFixture.start();
    const client = bus.connect('caller');
    const failure = await bus.ask(client, { ttlMs: 100 }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'bus.timeout', retryable: true });
    expect(await bus.redis.xlen(bus.requestKey)).toBe(0);
  });

  it('that was taken and not answered may have been done: without an idempotency key it is not to be repeated', async () => {
    await using bus = await BusFixture.start();
    const { opened, open } = gate();
    let handled = 0;
    bus.serve('a', async () => {
      handled += 1;
      await opened;
      return yes;
    });
    const client = bus.connect('caller');
    const failure = await bus.ask(client, { ttlMs: 300 }).catch((error: unknown) => error);
    open();
    expect(failure).toMatchObject({ code: 'bus.timeout', retryable: false });
    expect(handled).toBe(1);
  });

  it('with an idempotency key is sent again when whoever took it is silent, and the late answer counts too', async () => {
    await using bus = await BusFixture.start();
    const { opened, open } = gate();
    const keys: (string | undefined)[] = [];
    bus.serve('a', async (_input, { idempotencyKey }) => {
      keys.push(idempotencyKey);
      await (keys.length === 1 ? opened : Promise.resolve());
      return yes;
    });
    const answer = bus.ask(bus.connect('caller'), { ttlMs: 20_000, idempotencyKey: 'k1' });
    await until(() => keys.length === 2, { what: 'a second sending' });
    expect(await answer).toEqual(yes);
    open();
    expect(keys).toEqual(['k1', 'k1']);
  });

  it.each([
    { isIdempotent: true, handlings: 2, what: 'is sent again at once where it is harmless' },
    { isIdempotent: false, handlings: 1, what: 'is waited for where it is not' },
  ])('that was lost with its connection $what', async ({ isIdempotent, handlings }) => {
    await using bus = await BusFixture.start();
    const { opened, open } = gate();
    let handled = 0;
    bus.serve('a', async () => {
      handled += 1;
      await (handled === 1 ? opened : Promise.resolve());
      return yes;
    });
    const client = bus.connect('caller');
    const contract = { ...workerRequests.stopRun, isIdempotent };
    const input = { runId: 'run_1', fence: 1, timedOut: false };
    const begun = performance.now();
    const answer = client.request(contract, input, { context: serviceContext('orchestrator', 'wsp_1'), ttlMs: 20_000 });
    await until(() => handled === 1);
    await bus.redis.client('KILL', 'TYPE', 'normal');
    if (handlings === 1) await until(() => performance.now() > begun + 1_500);
    else await answer;
    expect(performance.now() - begun).toBeLessThan(2_500);
    expect(handled).toBe(handlings);
    open();
    expect(await answer).toEqual(yes);
  });

  it('that waits for somebody to take it is not sent again when a connection is made anew', async () => {
    await using bus = await BusFixture.start();
    const client = bus.connect('caller');
    const contract = { ...workerRequests.stopRun, isIdempotent: true };
    const context = serviceContext('orchestrator', 'wsp_1');
    const answer = client.request(contract, { runId: 'run_1', fence: 1, timedOut: false }, { context });
    await until(async () => (await bus.redis.xlen(bus.requestKey)) === 1);
    await bus.redis.client('KILL', 'TYPE', 'normal');
    let handled = 0;
    bus.serve('a', async () => {
      handled += 1;
      return yes;
    });
    expect(await answer).toEqual(yes);
    await bus.ask(client);
    expect(handled).toBe(2);
  });

  it('ends when its caller gives up, and is not handled after that', async () => {
    await using bus = await BusFixture.start();
    const client = bus.connect('caller');
    const controller = new AbortController();
    const failure = bus.ask(client, { signal: controller.signal }).catch((error: unknown) => error);
    await until(async () => (await bus.redis.xlen(bus.requestKey)) === 1);
    controller.abort();
    expect(await failure).toBeInstanceOf(AppError);
    expect(await bus.redis.xlen(bus.requestKey)).toBe(0);
  });

  it('is not lost when the instance that reads it drains while others go on', async () => {
    await using bus = await BusFixture.start();
    const handle = async (): Promise<typeof yes> => yes;
    const first = bus.serve('a', handle);
    const client = bus.connect('caller');
    await bus.ask(client);
    const stop = new AbortController();
    let answered = 0;
    const asking = Array.from({ length: 16 }, async () => {
      while (!stop.signal.aborted) {
        await bus.ask(client, { ttlMs: 5_000 });
        answered += 1;
      }
    });
    bus.serve('b', handle);
    await until(() => answered > 200);
    await first.drain();
    const after = answered;
    await until(() => answered > after + 200);
    stop.abort();
    await expect(Promise.all(asking)).resolves.toHaveLength(16);
  });

  it('S9: is taken and handled while Redis is full, and answered as soon as there is room', async () => {
    await using bus = await BusFixture.start();
    const { opened, open } = gate();
    let began = false;
    let ended = false;
    bus.serve('a', async () => {
      began = true;
      await opened;
      ended = true;
      return yes;
    });
    const answer = bus.ask(bus.connect('caller'), { ttlMs: 20_000 });
    await until(() => began);
    await bus.redis.config('SET', 'maxmemory', '1');
    open();
    await until(() => ended);
    await bus.redis.config('SET', 'maxmemory', '0');
    expect(await answer).toEqual(yes);
  });

  it('whose connection breaks while it is on its way is never sent twice', async () => {
    await using bus = await BusFixture.start();
    await using proxy = await TcpProxy.start(bus.server.port);
    let handled = 0;
    bus.serve('a', async () => {
      handled += 1;
      return yes;
    });
    const client = bus.connect('caller', proxy.port);
    await bus.ask(client);
    const asked = 50;
    const answers = Array.from({ length: asked }, () => bus.ask(client, { ttlMs: 1_000 }).catch(() => undefined));
    proxy.swallow();
    await Promise.all(answers);
    proxy.restore();
    await until(() => bus.ask(client, { ttlMs: 1_000 }), { what: 'an answer on a new connection' });
    const retried = await bus.redis.xlen(bus.requestKey);
    expect(retried).toBe(0);
    expect(handled).toBeLessThanOrEqual(asked + 10);
  });

  it('runs in the trace of its caller, under a name of service, feature and verb', async () => {
    await using bus = await BusFixture.start();
    const stopTracing = await startTracing({ service: 'test', instance: 'test', otlpUrl: undefined, sampleRatio: 1 });
    bus.onClose(stopTracing);
    let heard: string | undefined;
    bus.serve('a', async () => {
      heard = trace.getActiveSpan()?.spanContext().traceId;
      return yes;
    });
    const span = trace.getTracer('test').startSpan('caller');
    const client = bus.connect('caller');
    await traceContext.with(trace.setSpan(traceContext.active(), span), () => bus.ask(client));
    expect(heard).toBe(span.spanContext().traceId);
  });

  it('S12: that a dead process was handed is dropped in the end, and its consumer with it', async () => {
    await using bus = await BusFixture.start();
    bus.serve('alive', async () => yes);
    const client = bus.connect('caller');
    await bus.ask(client);
    for (let process = 0; process < 20; process += 1) {
      await bus.redis.xgroup('CREATECONSUMER', bus.requestKey, 'worker', `dead-${process}`);
    }
    const janitor = new ConsumerJanitor({ key: bus.requestKey, group: 'worker', consumer: 'alive' }, bus.parts, 0);
    await janitor.dropAbandoned();
    await janitor.deleteLeaked();
    const consumers: unknown = await bus.redis.xinfo('CONSUMERS', bus.requestKey, 'worker');
    expect(JSON.stringify(consumers)).not.toContain('dead');
    expect(await bus.ask(client)).toEqual(yes);
  });
});

describe('a directed request', () => {
  async function leave(bus: BusFixture, key: string, ttlMs: number): Promise<{ id: string; bytes: Buffer }> {
    const payload = workerRequests.stopRun.request.encode({ runId: 'run_1', fence: 1, timedOut: false });
    const envelope = envelopeCodec.encode({
      ...{ id: 'msg_1', kind: 'REQUEST', type: workerRequests.stopRun.pattern, version: 1, workspaceId: 'wsp_1' },
      ...{ requestId: 'req_1', traceparent: '', tracestate: '', ttlMs, idempotencyKey: '' },
      ...{ replyTo: bus.parts.redis.keys.instance('caller'), inReplyTo: '', payload },
    });
    const bytes = Buffer.from(envelope);
    return { id: String(await bus.redis.xadd(key, '*', 'e', bytes)), bytes };
  }

  it('is handled once, also where an earlier process of that name has read it', async () => {
    await using bus = await BusFixture.start();
    let handled = 0;
    const dispatcher = bus.dispatcher(async () => {
      handled += 1;
      return yes;
    });
    const key = bus.parts.redis.keys.instance('worker-1');
    const entry = await leave(bus, key, 10_000);
    const processes = [1, 2].map(() => new DirectedRequests(key, dispatcher, bus.parts, 4));
    await Promise.all(processes.map((each) => each.take([entry])));
    await until(() => handled > 0);
    await Promise.all(processes.map((each) => each.drain()));
    expect(handled).toBe(1);
  });

  it('that is too old by the clock of Redis is not handled', async () => {
    await using bus = await BusFixture.start();
    let handled = 0;
    const dispatcher = bus.dispatcher(async () => {
      handled += 1;
      return yes;
    });
    const key = bus.parts.redis.keys.instance('worker-1');
    const old = await leave(bus, key, 1);
    const begun = performance.now();
    await until(() => performance.now() > begun + 5);
    const directed = new DirectedRequests(key, dispatcher, bus.parts, 4);
    await directed.take([old]);
    await directed.drain();
    expect(handled).toBe(0);
    expect(await bus.metric('bus_stale_requests_total')).toBe(1);
  });

  it('waits for a free handler, and is refused when the instance drains', async () => {
    await using bus = await BusFixture.start();
    const { opened, open } = gate();
    let running = 0;
    const dispatcher = bus.dispatcher(async () => {
      running += 1;
      await opened;
      running -= 1;
      return yes;
    });
    const client = bus.connect('worker-1');
    const directed = new DirectedRequests(client.inbox.key, dispatcher, bus.parts, 2);
    client.inbox.hearRequests((entries) => void directed.take(entries));
    const caller = bus.connect('caller');
    const answers = Array.from({ length: 6 }, () => bus.ask(caller, { instance: 'worker-1' }));
    await until(() => running === 2);
    const drained = directed.drain();
    await expect(bus.ask(caller, { instance: 'worker-1' })).rejects.toMatchObject({
      code: 'bus.unavailable',
      retryable: true,
    });
    open();
    expect(await Promise.all(answers)).toHaveLength(6);
    await drained;
  });
});
