import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runTool, type DeployCheck } from './deploy-check.ts';

/** Shell scripts of the repository, by their first line: some have no ending, such as .ci/run. */
export const scriptChecks: readonly DeployCheck[] = [
  {
    name: 'shell scripts have no fault that shellcheck knows',
    tools: ['shellcheck'],
    async run() {
      const scripts = [...shellScripts('.ci'), ...shellScripts('deploy')];
      if (scripts.length === 0) throw new Error('no script was found, so nothing is proven');
      await runTool('shellcheck', ['--external-sources', ...scripts]);
      return `${scripts.length} scripts`;
    },
  },
];

function shellScripts(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => /^#!.*\b(ba)?sh\b/.test(readFileSync(path, 'latin1').slice(0, 64)))
    .toSorted();
}
