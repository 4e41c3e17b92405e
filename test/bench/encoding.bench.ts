import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BenchResult, Effort, Say } from './bench.ts';
import type { Measure } from './measure.ts';

const repetitions = 30;
const program = fileURLToPath(new URL('encoding-process.mjs', import.meta.url));

interface Cost {
  encode: number;
  read: number;
  pick: number;
  bytes: number;
}

const chosen = 'JSON rows, zstd 1';
const others = ['JSON rows, deflate 1', 'JSON rows, not packed', 'JSON by columns, zstd 1 each', 'Arrow IPC, zstd 1'];
const figures = [
  ['encode', 'encoding 10,000 rows of 10 columns', 'ms'],
  ['read', 'those as the text of events', 'ms'],
  ['pick', '2 columns of 40 of 10,000 rows as the text of events', 'ms'],
  ['bytes', 'stored bytes of 10,000 rows of 10 columns', 'bytes'],
] as const;

/** What a page costs in the encoding that was chosen and in those that were not. */
export async function benchEncoding({ rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const found: Record<string, Cost>[] = [];
  for (let round = 0; round < rounds; round++) {
    const { stdout } = await promisify(execFile)(process.execPath, [program, String(Math.ceil(repetitions * scale))]);
    // Written by that program alone.
    const costs = JSON.parse(stdout) as Record<string, Cost>;
    found.push(costs);
    for (const [name, cost] of Object.entries(costs)) say(`  round ${round + 1}: ${name}: ${shown(cost)}`);
  }
  return {
    name: 'The encoding of pages',
    method: `One process each round, without services; milliseconds of the processor, the median of ${repetitions}. Columns as the flights have
them: timestamps, integers, texts, floats, booleans. Arrow is encoded from values that are given to it; from a source's text they would
have to be made first. Decision 0026 is what came of it.`,
    measures: figures.flatMap(([figure, name, unit]) =>
      others.map((other): Measure => {
        const rounds = found.map((costs) => ({
          ours: costOf(costs, chosen, figure),
          control: costOf(costs, other, figure),
        }));
        return { name, unit, control: other, rounds };
      }),
    ),
  };
}

function costOf(costs: Record<string, Cost>, name: string, figure: keyof Cost): number {
  const cost = costs[name];
  if (!cost) throw new Error(`${name} was not measured`);
  return cost[figure];
}

function shown({ encode, read, pick, bytes }: Cost): string {
  const [encoded, text, two] = [encode, read, pick].map((ms) => ms.toFixed(2));
  return `encode ${encoded} ms, read ${text} ms, pick ${two} ms, ${bytes} bytes`;
}
