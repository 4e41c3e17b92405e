import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BenchResult, Effort, Say } from './bench.ts';
import type { Round } from './measure.ts';
import { percentile } from './statistics.ts';

const checks = 2_000;
const program = fileURLToPath(new URL('token-check-process.mjs', import.meta.url));

interface Times extends Record<'known' | 'hashed' | 'fresh' | 'bare', number[]> {
  /** How often auth was asked for anything meanwhile. */
  readonly asked: number;
}

/** What it costs the gateway to know who asks. */
export async function benchTokenCheck({ rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const known: Round[] = [];
  const fresh: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const times = await timesOf(Math.ceil(checks * scale));
    if (times.asked > 0) throw new Error(`auth was asked ${times.asked} times while tokens were checked`);
    const p50 = (of: 'known' | 'hashed' | 'fresh' | 'bare'): number => percentile(times[of], 0.5);
    known.push({ ours: p50('known'), control: p50('hashed') });
    fresh.push({ ours: p50('fresh'), control: p50('bare') });
    say(`  round ${round + 1}: known ${p50('known').toFixed(4)} ms, for the first time ${p50('fresh').toFixed(3)} ms`);
  }
  return {
    name: 'A token check in the gateway',
    method: `The gateway's own code in one process, from the text of the header \`authorization\` to the principal, beside 10,000 revocations.
Nothing is asked of another process meanwhile, which is counted. A token is proven by its signature once a minute and is known
from then on: its time and its revocation are looked at each time. Both alternate with their controls, ${checks} times each.`,
    measures: [
      {
        ...{ name: 'a known token, p50', unit: 'ms', rounds: known },
        control: 'SHA-256 of the token alone',
        target: { of: 'ours', atMost: 0.1 },
      },
      {
        ...{ name: 'a token for the first time, p50', unit: 'ms', rounds: fresh },
        control: 'jose alone: the signature',
        target: { of: 'ratio', atMost: 2 },
      },
    ],
  };
}

async function timesOf(count: number): Promise<Times> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, String(count)], { maxBuffer: 2 ** 26 });
  // Written by that program alone.
  return JSON.parse(stdout) as Times;
}
