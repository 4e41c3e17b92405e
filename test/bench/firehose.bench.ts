import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Api, type RunPlace } from './api.ts';
import { startBareSocketServer } from './bare-socket-server.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import { FirehoseTeller } from './firehose-teller.ts';
import type { Installation } from './installation.ts';
import { LiveSocket, openMany } from './live-socket.ts';
import type { Round } from './measure.ts';
import { cpuSeconds } from './process-memory.ts';
import { percentile } from './statistics.ts';
import { manySockets } from './subscriptions.bench.ts';

/** The settings of its mesh: the runs that nobody takes wait for as many rounds as there are. */
export const waitingRuns = { ...manySockets, SLUICE_ORCHESTRATOR_QUEUE_UNSERVED_MAX_SECONDS: '86400' };

const sockets = 1_000;
const eventsPerSecond = 10_000;
const seconds = 5;
/** Events are told in so many portions a second. */
const portionsPerSecond = 200;
/** So many versions of each run are told before those that count, as what the opening of the sockets has left behind is another figure. */
const versionsBefore = eventsPerSecond / sockets;

const query = `subscription ($id: ID!) { executionEvents(id: $id) {
  __typename cursor ... on ExecutionStateChanged { state version } } }`;

interface Found {
  readonly p50: number;
  readonly p99: number;
  readonly share: number;
  /** Of the processor, for each event: microseconds of the process that holds the stream's other end. */
  readonly workUs: number;
}

/** A thousand sockets, each with an execution of its own, and ten thousand changes a second in all. */
export async function benchFirehose(mesh: Installation, { rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const api = new Api(mesh);
  const teller = await FirehoseTeller.open(mesh);
  const broker = { path: mesh.brokerSocket(), password: mesh.secrets().redisPassword };
  const redis = new Redis({ ...broker, enableAutoPipelining: true });
  const bare = await startBareSocketServer(broker);
  // Nobody takes the runs, so that they last and cost nothing.
  process.kill(mesh.pidOf('worker'), 'SIGSTOP');
  try {
    const { id: sourceId } = await api.source('flights_pg');
    const text = (index: number): string => `select ${index} as n, ${Date.now()} as firehose`;
    const ids = await openMany(sockets, (index) => api.submit(sourceId, text(index)), 16);
    const runs = await openMany(sockets, (index) => api.placeOf(ids[index] ?? ''), 16);
    const ours: Side = {
      open: (index, take) =>
        LiveSocket.open(mesh.access.websocketUrl, mesh.access.apiKey, subscribeTo(ids[index]), take),
      tell: (index, version) => teller.tell(placeIn(runs, index), version),
      pid: mesh.pidOf('gateway'),
    };
    const theirs: Side = {
      open: (index, take) =>
        LiveSocket.open(bare.url, '', { query: 'subscription { told }', variables: { number: index } }, take),
      tell: (index, version) => tellBare(redis, index, version),
      pid: bare.pid,
    };
    const length = Math.max(1, seconds * scale);
    // Compiled code is warm in both.
    await measure(theirs, 10, length / 2);
    await measure(ours, 10, length / 2);
    const found: { ours: Found; control: Found }[] = [];
    for (let round = 0; round < rounds; round++) {
      // Versions only grow, from round to round too.
      const first = 1_000 * (round + 1);
      const control = await measure(theirs, first, length);
      const own = await measure(ours, first, length);
      found.push({ ours: own, control });
      say(`  round ${round + 1}: ${describe(own)}; bare ${describe(control)}`);
    }
    return { name: '10,000 events a second to 1,000 sockets', method, measures: measuresOf(found) };
  } finally {
    process.kill(mesh.pidOf('worker'), 'SIGCONT');
    redis.disconnect();
    await Promise.all([api.close(), teller.close(), bare.stop()]);
  }
}

const method = `${sockets} WebSockets, each with one \`executionEvents\` of an execution of its own; ${eventsPerSecond} changes of their runs a second are told
by XADD in ${portionsPerSecond} portions a second for ${seconds} s, and for one second before that does not count, each with a version of its own, from
the process that holds the sockets. A time is from XADD to the message at the socket; a version that
never came has the time that was waited for it. Delivered is the share of all versions that came, in the worst round. Processor time is that of the gateway and of the control, with all their threads. The control is a process that reads a stream of
as many ready texts and sends each to its socket: no GraphQL, no permission, no cursor.`;

function measuresOf(found: readonly { ours: Found; control: Found }[]): BenchResult['measures'] {
  const roundsOf = (of: (one: Found) => number): Round[] =>
    found.map(({ ours, control }) => ({ ours: of(ours), control: of(control) }));
  const control = 'bare graphql-ws, ready texts from a stream';
  return [
    { name: 'XADD to socket, p50', unit: 'ms', control, rounds: roundsOf(({ p50 }) => p50) },
    {
      name: 'XADD to socket, p99',
      unit: 'ms',
      control,
      rounds: roundsOf(({ p99 }) => p99),
      target: { of: 'ours', atMost: 20 },
    },
    {
      name: 'delivered',
      unit: '%',
      control,
      rounds: roundsOf(({ share }) => share * 100),
      target: { of: 'ours', atLeast: 100, in: 'every round' },
    },
    { name: 'processor time for one event', unit: 'µs', control, rounds: roundsOf(({ workUs }) => workUs) },
  ];
}

interface Side {
  open(index: number, take: (payload: Buffer, type: string) => void): Promise<LiveSocket>;
  tell(index: number, version: number): Promise<unknown>;
  readonly pid: number;
}

async function measure({ open, tell, pid }: Side, first: number, length: number): Promise<Found> {
  const versions = Math.ceil((eventsPerSecond * length) / sockets);
  const toldAt = new Float64Array(sockets * versions);
  const took: number[] = [];
  const take = (index: number, payload: Buffer): void => {
    const now = performance.now();
    const version = versionIn(payload);
    const slot = index * versions + version - first;
    const sent = version < first ? 0 : (toldAt[slot] ?? 0);
    if (sent === 0) return;
    took.push(now - sent);
    // What comes again is not counted again.
    toldAt[slot] = 0;
  };
  const opened = await openMany(sockets, (index) => open(index, (payload) => take(index, payload)));
  await inPortions(sockets * versionsBefore, (told) => {
    void tell(told % sockets, first - versionsBefore + Math.floor(told / sockets));
  });
  const before = cpuSeconds(pid);
  await inPortions(sockets * versions, (told) => {
    const index = told % sockets;
    const version = first + Math.floor(told / sockets);
    toldAt[index * versions + version - first] = performance.now();
    void tell(index, version);
  });
  const deadline = performance.now() + 5_000;
  while (took.length < sockets * versions && performance.now() < deadline) await wait(50);
  const workUs = ((cpuSeconds(pid) - before) * 1e6) / Math.max(1, took.length);
  const share = took.length / (sockets * versions);
  const now = performance.now();
  // What has not come is as late as can be said, and not left out of the times.
  for (const sent of toldAt) if (sent > 0) took.push(now - sent);
  await Promise.all(opened.map((socket) => socket.close()));
  return { p50: percentile(took, 0.5), p99: percentile(took, 0.99), share, workUs };
}

/** Evenly, as many a second as are to be. */
async function inPortions(count: number, tell: (told: number) => void): Promise<void> {
  const perPortion = eventsPerSecond / portionsPerSecond;
  const begun = performance.now();
  for (let told = 0; told < count; told++) {
    tell(told);
    const dueMs = (((told + 1) / perPortion) * 1_000) / portionsPerSecond;
    if ((told + 1) % perPortion === 0) await wait(Math.max(0, begun + dueMs - performance.now()));
  }
}

const versionMark = Buffer.from('"version":');

function versionIn(payload: Buffer): number {
  const at = payload.indexOf(versionMark);
  return at < 0
    ? 0
    : Number.parseInt(payload.toString('latin1', at + versionMark.length, at + versionMark.length + 8), 10);
}

function subscribeTo(id: string | undefined): object {
  return { query, variables: { id } };
}

function placeIn(runs: readonly RunPlace[], index: number): RunPlace {
  const run = runs[index];
  if (!run) throw new Error(`there is no run ${index}`);
  return run;
}

function tellBare(redis: Redis, index: number, version: number): Promise<unknown> {
  const event = { __typename: 'ExecutionStateChanged', state: 'RUNNING', version };
  return redis.xadd(
    'bare:told',
    'MAXLEN',
    '~',
    10_000,
    '*',
    String(index),
    JSON.stringify({ data: { executionEvents: event } }),
  );
}

function describe({ p50, p99, share, workUs }: Found): string {
  return `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ${(share * 100).toFixed(2)}% delivered, ${workUs.toFixed(0)} µs each`;
}
