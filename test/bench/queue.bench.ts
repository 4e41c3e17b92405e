import { setTimeout as wait } from 'node:timers/promises';
import { Api } from './api.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import type { Installation } from './installation.ts';
import type { Round } from './measure.ts';
import { median } from './statistics.ts';

const few = 100;
const many = 10_000;
const sample = 200;
const atOnce = 16;

interface Cost {
  readonly enqueueMs: number;
  readonly dequeueMs: number;
}

/** What it costs to put one more run into the queue, and to get one out and done, with few and with many waiting. */
export async function benchQueue(mesh: Installation, { rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const api = new Api(mesh);
  try {
    const { id: sourceId } = await api.source('flights_pg');
    // Compiled code and connections are warm in both.
    await costAt(mesh, api, sourceId, few);
    const enqueue: Round[] = [];
    const dequeue: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const control = await costAt(mesh, api, sourceId, few);
      const ours = await costAt(mesh, api, sourceId, Math.max(few, many * scale));
      enqueue.push({ ours: ours.enqueueMs, control: control.enqueueMs });
      dequeue.push({ ours: ours.dequeueMs, control: control.dequeueMs });
      say(`  round ${round + 1}: enqueue ${ours.enqueueMs.toFixed(2)} ms, dequeue ${ours.dequeueMs.toFixed(2)} ms`);
    }
    const control = `with ${few} waiting`;
    const target = { of: 'ratio', atMost: 1.5 } as const;
    return {
      name: 'The queue, few and many',
      method: `The worker is stopped (SIGSTOP) while runs of one user are submitted by \`runQuery\` until ${many} wait; then ${sample} more are
submitted one by one. The worker goes on, and the time between the ends of the first runs is taken, by the server's clock: so
dequeuing has the query itself in it, ten rows by primary key. The control is the same with ${few} waiting.`,
      measures: [
        { name: `one more behind ${many}, p50`, unit: 'ms', control, rounds: enqueue, target },
        { name: `one out of ${many} and done`, unit: 'ms', control, rounds: dequeue, target },
      ],
    };
  } finally {
    await api.close();
  }
}

async function costAt(mesh: Installation, api: Api, sourceId: string, depth: number): Promise<Cost> {
  const worker = mesh.pidOf('worker');
  process.kill(worker, 'SIGSTOP');
  try {
    const ids = await fill(api, sourceId, depth);
    const took: number[] = [];
    for (let n = 0; n < sample; n += 1) {
      const begun = performance.now();
      ids.push(await api.submit(sourceId, nextSql()));
      took.push(performance.now() - begun);
    }
    process.kill(worker, 'SIGCONT');
    // The first are behind the workers' waking, the last of few behind an emptying queue.
    const [first, last] = [30, 230];
    const ends = await Promise.all([endOf(api, ids[first]), endOf(api, ids[last])]);
    await endOf(api, ids.at(-1));
    return { enqueueMs: median(took), dequeueMs: (ends[1] - ends[0]) / (last - first) };
  } finally {
    process.kill(worker, 'SIGCONT');
  }
}

/** In the order in which they were asked for, but for the few that are on their way at once. */
async function fill(api: Api, sourceId: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  let left = count;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (left > 0) {
        left -= 1;
        ids.push(await api.submit(sourceId, nextSql()));
      }
    }),
  );
  return ids;
}

let asked = 0;

function nextSql(): string {
  asked += 1;
  return `select iata, name from airports where iata >= 'A' and latitude > ${(asked % 90) - 45}.${asked} limit 10`;
}

async function endOf(api: Api, id: string | undefined): Promise<number> {
  for (;;) {
    const { execution } = await api.request<{ execution: { state: string; finishedAt: string | null } | null }>(
      'query ($id: ID!) { execution(id: $id) { state finishedAt } }',
      { id },
    );
    if (execution?.state === 'SUCCEEDED' && execution.finishedAt !== null) return Date.parse(execution.finishedAt);
    if (execution?.state !== 'QUEUED' && execution?.state !== 'RUNNING') {
      throw new Error(`an execution ended ${execution?.state ?? 'without a trace'}`);
    }
    await wait(100);
  }
}
