import { Api, barePool } from './api.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import type { Installation } from './installation.ts';
import type { Round } from './measure.ts';
import { largestPeakMb, peakResidentMb } from './process-memory.ts';
import { readBare, rowsOf, tenColumns, timed, type Reading } from './rows.bench.ts';

/** A large result as a CSV file: rows a second, the first byte, and what the services hold of it at most. */
export async function benchDownload(mesh: Installation, effort: Effort, say: Say): Promise<BenchResult> {
  const api = new Api(mesh);
  const pool = await barePool(api, mesh, 1);
  try {
    const { id: sourceId } = await api.source('flights_pg');
    const count = rowsOf(effort);
    const whole: Round[] = [];
    const alone: Round[] = [];
    const gateway: Round[] = [];
    const others: Round[] = [];
    for (let round = 0; round < effort.rounds; round++) {
      const sql = tenColumns(count, round);
      const { rowsPerSecond: control } = await timed(() => readBare(pool, sql), count);
      let seconds = 0;
      const { rowsPerSecond: ours } = await timed(async () => {
        const id = await api.submit(sourceId, sql, { rows: count });
        await api.follow(id, false, () => undefined);
        const begun = performance.now();
        const reading = await readCsv(await addressOf(api, id));
        seconds = (performance.now() - begun) / 1_000;
        return reading;
      }, count);
      whole.push({ ours, control });
      alone.push({ ours: count / seconds, control });
      const own = process.memoryUsage.rss() / 2 ** 20;
      gateway.push({ ours: peakResidentMb(mesh.pidOf('gateway')), control: own });
      others.push({ ours: largestPeakMb(mesh, ['gateway']), control: own });
      say(
        `  round ${round + 1}: ${ours.toFixed(0)} rows/s, alone ${(count / seconds).toFixed(0)}, control ${control.toFixed(0)}`,
      );
    }
    const control = 'bare cursor and JSON.stringify';
    const resident = { unit: 'MB', control: 'resident, this client', target: { of: 'ours', atMost: 250 } } as const;
    return {
      name: `${rowsOf(effort).toLocaleString('en-US')} rows as a CSV file`,
      method,
      measures: [
        {
          ...{ name: 'rows, from the question to the end of the file', unit: 'rows/s', control, rounds: whole },
          target: { of: 'ratio', atLeast: 0.6 },
        },
        {
          ...{ name: 'rows, of a result that is there', unit: 'rows/s', control, rounds: alone },
          target: { of: 'ratio', atLeast: 0.6 },
        },
        { name: 'gateway, peak resident', rounds: gateway, ...resident },
        { name: 'largest of the other services, peak resident', rounds: others, ...resident },
      ],
    };
  } finally {
    await Promise.all([pool.end(), api.close()]);
  }
}

const method = `The query of the bench before, run to its end, and its result downloaded as CSV without packing, every line counted. The
control reads the same rows by a node-postgres cursor and makes JSON of each.`;

async function addressOf(api: Api, id: string): Promise<string> {
  const { execution } = await api.request<{ execution: { result: { download: { url: string } } } }>(
    'query ($id: ID!) { execution(id: $id) { result { download(format: CSV) { url } } } }',
    { id },
  );
  return execution.result.download.url;
}

const lineFeed = 0x0a;

/** The lines of a file without its first, counted as they come. */
async function readCsv(url: string): Promise<Reading> {
  const { body, status } = await fetch(url, { headers: { 'accept-encoding': 'identity' } });
  if (status !== 200 || !body) throw new Error(`HTTP ${status}`);
  let lines = -1;
  let firstAt = 0;
  for await (const piece of body) {
    if (lines < 0) firstAt = performance.now();
    for (let at = piece.indexOf(lineFeed); at >= 0; at = piece.indexOf(lineFeed, at + 1)) lines += 1;
  }
  return { rows: lines, firstAt };
}
