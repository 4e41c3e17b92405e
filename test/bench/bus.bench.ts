import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { BusClient, BusMetrics, serviceContext } from '#libs/bus';
import { workerRequests } from '#libs/contracts';
import { RedisConnections } from '#libs/redis';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { startRedis } from '#libs/testing';
import type { BenchResult, Effort, Say } from './bench.ts';
import type { Round } from './measure.ts';
import { median } from './statistics.ts';

const inFlight = 64;
const requestsPerRound = 40_000;
const onePerRound = 2_000;
/** As large as the envelope of ours with a small request. */
const requestBytes = 200;
const idBytes = 10;

type Ask = () => Promise<unknown>;

/** Request and reply between two processes over Redis streams, against the same with nothing but ioredis. */
export async function benchBus({ rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const redis = await startRedis();
  const responders = await Promise.all([startResponder('ours', redis.url), startResponder('raw', redis.url)]);
  const ours = openBus(redis.url);
  const raw = await openRaw(redis.url);
  try {
    for (const { ask } of [ours, raw]) await manyAtOnce(ask, requestsPerRound / 4);
    const throughput: Round[] = [];
    const latency: Round[] = [];
    for (let round = 0; round < rounds; round++) {
      const count = Math.round(requestsPerRound * scale);
      const control = await manyAtOnce(raw.ask, count);
      const rate = await manyAtOnce(ours.ask, count);
      throughput.push({ ours: rate, control });
      const single = Math.round(onePerRound * scale);
      latency.push({ ours: await oneAtATime(ours.ask, single), control: await oneAtATime(raw.ask, single) });
      say(`  round ${round + 1}: ${rate.toFixed(0)}/s, raw ${control.toFixed(0)}/s`);
    }
    return {
      name: 'Request and reply over the bus',
      method,
      measures: [
        {
          name: `${inFlight} in flight`,
          unit: 'requests/s',
          control: 'raw ioredis streams, auto-pipelining',
          rounds: throughput,
          target: { of: 'ratio', atLeast: 0.6 },
        },
        {
          name: 'one at a time, p50',
          unit: 'ms',
          control: 'raw ioredis streams, p50',
          rounds: latency,
          target: { of: 'difference', atMost: 1 },
        },
      ],
    };
  } finally {
    await Promise.all([ours.close(), raw.close(), ...responders.map(stopResponder)]);
    await redis.stop();
  }
}

const method = `The caller is this process, the answerer another, with one Redis between them. Ours goes through BusClient, BusServer and a
Nest handler, with envelope, codecs, ttl, deletion before handling, metrics and trace; the control sends as many bytes
by XADD and XREAD and does nothing else.`;

function openBus(url: string): { ask: Ask; close: () => Promise<void> } {
  const logger = AppLogger.create({ service: 'orchestrator', instance: 'bench', level: 'warn' });
  const redis = new RedisConnections({ prefix: 'bench', broker: { url }, session: { url }, cache: {} }, logger);
  const client = new BusClient('bench', {
    redis,
    logger,
    metrics: new BusMetrics(new MetricsRegistry('orchestrator')),
  });
  client.start();
  const context = serviceContext('orchestrator', 'wsp_1', 'req_1');
  const input = { runId: 'run_1', fence: 1, timedOut: false };
  return {
    ask: () => client.request(workerRequests.stopRun, input, { context }),
    close: async () => {
      await client.stop();
      await redis.close();
    },
  };
}

async function openRaw(url: string): Promise<{ ask: Ask; close: () => Promise<void> }> {
  const reader = new Redis(url);
  const writer = new Redis(url, { enableAutoPipelining: true });
  const pending = new Map<string, () => void>();
  const closing = new AbortController();
  let position = '0-0';
  let next = 0;
  const read = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      const streams = await reader.xreadBuffer('COUNT', 512, 'BLOCK', 200, 'STREAMS', 'raw:reply', position);
      for (const [id, fields] of streams?.[0]?.[1] ?? []) {
        position = id.toString();
        pending.get(fields[1]?.toString('latin1', 0, idBytes) ?? '')?.();
      }
    }
  };
  const reading = read();
  return {
    ask: () =>
      new Promise<void>((resolve) => {
        next += 1;
        const id = String(next).padStart(idBytes, '0');
        pending.set(id, () => {
          pending.delete(id);
          resolve();
        });
        void writer.xadd('raw:request', 'MAXLEN', '~', 10_000, '*', 'e', Buffer.from(id.padEnd(requestBytes, 'x')));
      }),
    close: async () => {
      closing.abort();
      await reading;
      reader.disconnect();
      writer.disconnect();
    },
  };
}

/** Requests per second. */
async function manyAtOnce(ask: Ask, count: number): Promise<number> {
  let left = count;
  const begun = performance.now();
  const askOneByOne = async (): Promise<void> => {
    while (left-- > 0) await ask();
  };
  await Promise.all(Array.from({ length: inFlight }, askOneByOne));
  return count / ((performance.now() - begun) / 1_000);
}

/** The median, in milliseconds. */
async function oneAtATime(ask: Ask, count: number): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const begun = performance.now();
    await ask();
    times.push(performance.now() - begun);
  }
  return median(times);
}

async function startResponder(kind: 'ours' | 'raw', url: string): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('./bus-process.mjs', import.meta.url));
  const child = spawn(process.execPath, [program, kind, url], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

async function stopResponder(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.stdin?.end();
  await exit;
}
