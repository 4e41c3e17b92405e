import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runTool, type DeployCheck } from './deploy-check.ts';

const folder = '.github/workflows';

export const workflowChecks: readonly DeployCheck[] = [
  {
    name: 'workflows name their actions by commit, and the version beside it',
    tools: [],
    async run() {
      const lines = readdirSync(folder).flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n'));
      const uses = lines.filter((line) => /^\s*(- )?uses:/.test(line));
      const loose = uses.filter((line) => !/@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line));
      if (uses.length === 0 || loose.length > 0) throw new Error(loose.join('\n') || 'no action was found');
      return `${uses.length} actions`;
    },
  },
  {
    name: 'actionlint finds nothing in the workflows',
    tools: ['actionlint'],
    run: () => runTool('actionlint', []),
  },
];
