import { Api } from './api.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import type { Installation } from './installation.ts';
import type { Round } from './measure.ts';
import { percentile } from './statistics.ts';

const rowsWanted = 5_000_000;
const farOffset = 4_990_000;
const rowsRead = 100;
const reads = 200;

/** What a read at the end of a large result takes, next to one at its beginning. */
export async function benchPages(mesh: Installation, { rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const api = new Api(mesh);
  try {
    const { id: sourceId } = await api.source('flights_pg');
    const count = Math.round(rowsWanted * scale);
    const far = Math.round(farOffset * scale);
    const id = await api.submit(sourceId, `select n from generate_series(1, ${count}) t(n)`, { rows: count });
    await api.follow(id, false, () => undefined);
    await measure(api, id, far, reads / 4);
    const times: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const { near, ours } = await measure(api, id, far, reads);
      times.push({ ours, control: near });
      say(`  round ${round + 1}: at ${far} ${ours.toFixed(2)} ms, at 0 ${near.toFixed(2)} ms`);
    }
    return {
      name: 'A page of rows, anywhere',
      method: `A result of 5,000,000 rows of one column, in the store. \`rows(first: ${rowsRead}, offset: …)\` over HTTP, ${reads} reads behind row 0 and
as many behind row 4,990,000, one after the other in turns. The gateway keeps no pages in memory, so each read asks the page
table and opens a page of the store.`,
      measures: [
        {
          ...{ name: 'a read at 4,990,000, p50', unit: 'ms', rounds: times },
          control: 'the same at 0',
          target: { of: 'ratio', atMost: 1.5 },
        },
      ],
    };
  } finally {
    await api.close();
  }
}

async function measure(api: Api, id: string, far: number, count: number): Promise<{ near: number; ours: number }> {
  const [near, ours]: [number[], number[]] = [[], []];
  for (let index = 0; index < count; index += 1) {
    // Within the first and the last page, at another row each time.
    const within = (index * 37) % 900;
    near.push(await timed(api, id, within));
    ours.push(await timed(api, id, far + within));
  }
  return { near: percentile(near, 0.5), ours: percentile(ours, 0.5) };
}

async function timed(api: Api, id: string, offset: number): Promise<number> {
  const begun = performance.now();
  const { execution } = await api.request<{ execution: { result: { rows: { rows: unknown[][] } } } }>(
    `query ($id: ID!, $offset: SafeInt!) { execution(id: $id) { result { rows(first: ${rowsRead}, offset: $offset) { rows } } } }`,
    { id, offset },
  );
  const milliseconds = performance.now() - begun;
  const { rows } = execution.result.rows;
  if (rows.length !== rowsRead || Number(rows[0]?.[0]) !== offset + 1) throw new Error(`wrong rows at ${offset}`);
  return milliseconds;
}
