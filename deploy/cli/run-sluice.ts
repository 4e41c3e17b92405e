import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const program = fileURLToPath(new URL('sluice.ts', import.meta.url));

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program as an operator does, with nothing in its environment but PATH and what is given; for its tests. */
export async function runSluice(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  return promisify(execFile)(process.execPath, [program, ...args], { env: { PATH: process.env['PATH'], ...env } }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    // What execFile rejects with has the same members.
    (error: Outcome) => error,
  );
}
