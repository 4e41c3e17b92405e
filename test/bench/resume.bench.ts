import { Api } from './api.ts';
import { startBareSocketServer } from './bare-socket-server.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import type { Installation } from './installation.ts';
import { LiveSocket, openMany } from './live-socket.ts';
import type { Round } from './measure.ts';
import { percentile } from './statistics.ts';

const resumesPerRound = 1_000;
/** After a gateway's end its clients come back together. */
const atOnce = 32;
const rows = 1_000;

const query = `subscription ($id: ID!, $after: EventCursor) { executionEvents(id: $id, after: $after, includeRows: true) {
  __typename cursor ... on RowsAppended { page { offset rows } } } }`;

/** A client that lost its connection comes back with its cursor: from the new socket to the first event it had missed. */
export async function benchResume(mesh: Installation, { rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const api = new Api(mesh);
  const bare = await startBareSocketServer();
  try {
    const { id: sourceId } = await api.source('flights_pg');
    const id = await api.submit(sourceId, `select *, ${Date.now()} as resume from flights limit ${rows}`);
    await api.follow(id, true, () => undefined);
    const after = await firstCursor(mesh, id);
    const { websocketUrl, apiKey } = mesh.access;
    const ours = () => untilMissed(websocketUrl, apiKey, { query, variables: { id, after } }, '"RowsAppended"');
    const theirs = () => untilMissed(bare.url, '', { query: 'subscription { told }' }, '"told"');
    await openMany(resumesPerRound / 4, ours, atOnce);
    await openMany(resumesPerRound / 4, theirs, atOnce);
    const p99: Round[] = [];
    for (let round = 0; round < rounds; round++) {
      const control = percentile(await openMany(resumesPerRound * scale, theirs, atOnce), 0.99);
      const own = percentile(await openMany(resumesPerRound * scale, ours, atOnce), 0.99);
      p99.push({ ours: own, control });
      say(`  round ${round + 1}: p99 ${own.toFixed(1)} ms, bare ${control.toFixed(1)} ms`);
    }
    const control = 'bare graphql-ws, first message';
    return {
      name: 'Resuming after a reconnect',
      method,
      measures: [
        { name: 'to the first missed row, p99', unit: 'ms', control, rounds: p99, target: { of: 'ours', atMost: 100 } },
      ],
    };
  } finally {
    await Promise.all([api.close(), bare.stop()]);
  }
}

const method = `${atOnce} clients at a time come back, ${resumesPerRound} times in each round, each over a new WebSocket with the cursor that it had before ${rows} rows and
the final state. A time is from opening the socket to those rows, connection, credentials, cursor and snapshot included. The control
is a new socket to bare graphql-ws and its first message.`;

async function firstCursor(mesh: Installation, id: string): Promise<string> {
  let cursor = '';
  const take = (data: Buffer): void => {
    cursor ||= /"cursor":"([^"]+)"/.exec(data.toString())?.[1] ?? '';
  };
  const socket = await LiveSocket.open(
    mesh.access.websocketUrl,
    mesh.access.apiKey,
    { query, variables: { id } },
    take,
  );
  await socket.close();
  return cursor;
}

async function untilMissed(url: string, apiKey: string, subscribe: object, sign: string): Promise<number> {
  const begun = performance.now();
  let whenHeard = (_tookMs: number): void => undefined;
  const heard = new Promise<number>((resolve) => (whenHeard = resolve));
  const mark = Buffer.from(sign);
  const socket = await LiveSocket.open(url, apiKey, subscribe, (data) => {
    if (data.includes(mark)) whenHeard(performance.now() - begun);
  });
  const tookMs = await heard;
  await socket.close();
  return tookMs;
}
