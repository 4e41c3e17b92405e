import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BenchResult, Effort, Say } from './bench.ts';
import type { Round } from './measure.ts';
import { percentile } from './statistics.ts';

const questions = 400;
const program = fileURLToPath(new URL('planning-process.mjs', import.meta.url));

type Times = Record<'fresh' | 'parsed' | 'repeated' | 'hashed', number[]>;

/** What planning costs: template, proof, policies and key of a statement of 60 lines, for the first time and again. */
export async function benchPlanning({ rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const fresh: Round[] = [];
  const repeated: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const times = await timesOf(Math.ceil(questions * scale));
    const p50 = (of: keyof Times): number => percentile(times[of], 0.5);
    fresh.push({ ours: p50('fresh'), control: p50('parsed') });
    repeated.push({ ours: p50('repeated'), control: p50('hashed') });
    say(`  round ${round + 1}: ${p50('fresh').toFixed(2)} ms, repeated ${p50('repeated').toFixed(3)} ms`);
  }
  return {
    name: 'Planning',
    method: `The orchestrator's own code in one process, without services: a template of 60 lines with four tables, row policies on two of
them and three parameters, from its text to the key of its result. Each of ${questions} statements is another one; the
repeated one is the same again and again. Both alternate with their controls.`,
    measures: [
      {
        ...{ name: 'a statement for the first time, p50', unit: 'ms', rounds: fresh },
        control: 'the parser of PostgreSQL alone, once',
        target: { of: 'ours', atMost: 2 },
      },
      {
        ...{ name: 'the same again, p50', unit: 'ms', rounds: repeated },
        control: 'SHA-256 of the statement alone',
        target: { of: 'ours', atMost: 0.1 },
      },
    ],
  };
}

async function timesOf(count: number): Promise<Times> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, String(count)], { maxBuffer: 2 ** 26 });
  // Written by that program alone.
  return JSON.parse(stdout) as Times;
}
