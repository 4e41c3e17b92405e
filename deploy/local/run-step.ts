import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Step } from './step.ts';

const program = fileURLToPath(new URL('./step.ts', import.meta.url));

/**
 * Does a step of the start in a process of its own. The clients of PostgreSQL and of the API that it needs would stay in the
 * memory of the launcher, which afterwards only waits.
 */
export function runStep(step: Step): Promise<void> {
  const env = { ...process.env, SLUICE_LOCAL_STEP: JSON.stringify(step) };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [program], { env }, (error, _output, reason) => {
      if (error) reject(new Error(`${step.name}: ${reason.trim() || error.message}`));
      else resolve();
    });
  });
}
