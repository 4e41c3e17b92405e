import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findTool, type DeployCheck } from '../tools/deploy-check.ts';

/** nginx.conf itself is run by nginx.int-spec.ts. */
export const keepalivedChecks: readonly DeployCheck[] = [
  {
    name: 'keepalived accepts keepalived.conf',
    // Its script asks by curl, and has to be there.
    tools: ['keepalived', 'curl'],
    async run() {
      const text = readFileSync('deploy/nginx/keepalived.conf', 'utf8');
      if (faultsOf(text.replace('priority 100', 'priority none')) === '')
        throw new Error('keepalived accepts what it cannot, so nothing is proven');
      const faults = faultsOf(text);
      if (faults !== '') throw new Error(faults);
      return '';
    },
  },
];

/** What keepalived writes of a file; its exit code tells nothing, as 2.2 ends a test by a signal where all is well. */
function faultsOf(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-keepalived-'));
  const [file, log] = [join(folder, 'keepalived.conf'), join(folder, 'log')];
  try {
    writeFileSync(file, text);
    spawnSync(findTool('keepalived') ?? '', [`--config-test=${log}`, `--use-file=${file}`]);
    return existsSync(log) ? readFileSync(log, 'utf8').trim() : '';
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
