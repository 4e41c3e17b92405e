import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('issuer-process.mjs', import.meta.url));

export interface BenchIssuer {
  readonly issuer: string;
  readonly clientSecret: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** oidc-provider in a process of its own, with so many people. */
export async function startBenchIssuer(people: number): Promise<BenchIssuer> {
  const child = spawn(process.execPath, [program, String(people)], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  const [told] = (await once(child.stdout, 'data')) as [Buffer];
  if (child.pid === undefined) throw new Error('the issuer did not start');
  return {
    // Written by that program alone.
    ...(JSON.parse(told.toString()) as Pick<BenchIssuer, 'issuer' | 'clientSecret'>),
    pid: child.pid,
    stop: async () => {
      const exit = once(child, 'exit');
      child.stdin.end();
      await exit;
    },
  };
}
