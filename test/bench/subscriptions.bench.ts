import { setTimeout as wait } from 'node:timers/promises';
import { Api } from './api.ts';
import { startBareSocketServer } from './bare-socket-server.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import { FirehoseTeller } from './firehose-teller.ts';
import type { Installation } from './installation.ts';
import { LiveSocket, openMany } from './live-socket.ts';
import type { Round } from './measure.ts';
import { residentMb } from './process-memory.ts';
import { median } from './statistics.ts';

const subscriptions = 10_000;
const publishes = 9;
const settleMs = 2_000;

const query = `subscription ($id: ID!) { executionEvents(id: $id) {
  __typename cursor ... on ExecutionStateChanged { state version at } ... on ExecutionSnapshot { execution { state version } } } }`;

/** The settings that let one caller have so many. */
export const manySockets = {
  SLUICE_GATEWAY_SOCKETS_PER_CALLER_MAX: '100000',
  SLUICE_GATEWAY_SOCKETS_SIGNED_OUT_PER_ADDRESS_MAX: '100000',
};

interface Found {
  readonly openSeconds: number;
  readonly kibEach: number;
  readonly lastMs: number;
}

/** Many subscriptions, each on a socket of its own, to one execution: what they cost, and when the last has an event. */
export async function benchSubscriptions(mesh: Installation, effort: Effort, say: Say): Promise<BenchResult> {
  const api = new Api(mesh);
  const teller = await FirehoseTeller.open(mesh);
  try {
    const { id: sourceId } = await api.source('flights_pg');
    const count = Math.round(subscriptions * effort.scale);
    const open: Round[] = [];
    const kib: Round[] = [];
    const last: Round[] = [];
    const gateway = mesh.pidOf('gateway');
    // Nobody takes it, so that it lasts and costs nothing.
    process.kill(mesh.pidOf('worker'), 'SIGSTOP');
    const id = await api.submit(sourceId, `select ${Date.now()} as subscriptions`);
    const run = await api.placeOf(id);
    let version = 10;
    const ours = {
      ...{ url: mesh.access.websocketUrl, key: mesh.access.apiKey, pid: gateway },
      subscribe: { query, variables: { id } },
      publish: () => teller.tell(run, (version += 1)),
    };
    // Compiled code is warm in both.
    await measure(ours, 500);
    const payload = JSON.stringify({ data: { executionEvents: { text: 'x'.repeat(await payloadBytes(ours)) } } });
    const emptyMb = residentMb(gateway);
    for (let round = 0; round < effort.rounds; round++) {
      const bare = await startBareSocketServer();
      const theirs = {
        ...{ url: bare.url, key: '', pid: bare.pid, subscribe: { query: 'subscription { told }' } },
        publish: async () => bare.publish(payload),
      };
      await measure(theirs, 500);
      const control = await measure(theirs, count, residentMb(bare.pid));
      await bare.stop();
      const found = await measure(ours, count, emptyMb);
      open.push({ ours: found.openSeconds, control: control.openSeconds });
      kib.push({ ours: found.kibEach, control: control.kibEach });
      last.push({ ours: found.lastMs, control: control.lastMs });
      say(`  round ${round + 1}: ${describe(found)}; bare ${describe(control)}`);
    }
    const control = 'bare graphql-ws, one string shared';
    const limits = { atMost: 1.2 };
    return {
      name: `${subscriptions} subscriptions on one gateway`,
      method,
      measures: [
        { name: 'resident for each', unit: 'KiB', control, rounds: kib, target: { of: 'ours', atMost: 20 } },
        { name: 'the last has an event', unit: 'ms', control, rounds: last, target: { of: 'ratio', ...limits } },
        { name: 'all open', unit: 's', control, rounds: open, target: { of: 'ours', atMost: 20 } },
      ],
    };
  } finally {
    process.kill(mesh.pidOf('worker'), 'SIGCONT');
    await Promise.all([api.close(), teller.close()]);
  }
}

const method = `${subscriptions} WebSockets of one caller, each with one \`executionEvents\` of one execution, all in one client process. Resident is
what the gateway's process has beyond what it had before the first of them, two seconds after the last has been told its
snapshot. An event is a change of the run, told by XADD as the orchestrator tells it; of ${publishes} in each round the median time until the last
socket has it. The control is a process with graphql-ws that never executes: it sends one string to all.`;

interface Server {
  readonly url: string;
  readonly key: string;
  readonly pid: number;
  readonly subscribe: object;
  publish(): Promise<void>;
}

/** How large an event of ours is, without what the control has around its own. */
async function payloadBytes({ url, key, subscribe, publish }: Server): Promise<number> {
  let bytes = 0;
  const socket = await LiveSocket.open(url, key, subscribe, (data) => (bytes = data.length));
  await publish();
  await wait(500);
  await socket.close();
  return bytes - '{"id":"1","type":"next","payload":{"data":{"executionEvents":{"text":""}}}}'.length;
}

async function measure({ url, key, pid, subscribe, publish }: Server, count: number, emptyMb = 0): Promise<Found> {
  let heard = 0;
  let whenAll = (): void => undefined;
  const begun = performance.now();
  const take = (): void => {
    heard += 1;
    if (heard === count) whenAll();
  };
  const sockets = await openMany(count, () => LiveSocket.open(url, key, subscribe, take));
  const openSeconds = (performance.now() - begun) / 1_000;
  await wait(settleMs);
  const kibEach = ((residentMb(pid) - emptyMb) * 1_024) / count;
  const took: number[] = [];
  for (let n = 0; n < publishes; n++) {
    heard = 0;
    const all = new Promise<void>((resolve) => (whenAll = resolve));
    const publishedAt = performance.now();
    await publish();
    await Promise.race([
      all,
      wait(30_000, undefined, { ref: false }).then(() =>
        Promise.reject(new Error(`${heard} of ${count} have the event`)),
      ),
    ]);
    took.push(performance.now() - publishedAt);
    await wait(100);
  }
  await Promise.all(sockets.map((socket) => socket.close()));
  return { openSeconds, kibEach, lastMs: median(took) };
}

function describe({ openSeconds, kibEach, lastMs }: Found): string {
  return `${kibEach.toFixed(1)} KiB, last ${lastMs.toFixed(0)} ms, open ${openSeconds.toFixed(1)} s`;
}
