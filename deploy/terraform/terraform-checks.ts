import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runTool, type DeployCheck } from '../tools/deploy-check.ts';

const folder = 'deploy/terraform/aws';

export const terraformChecks: readonly DeployCheck[] = [
  {
    name: 'terraform reads the module, and finds it formatted',
    tools: ['terraform'],
    run: async () => {
      await runTool('terraform', ['fmt', '-check', '-recursive', folder]);
      return '';
    },
  },
  {
    name: 'terraform validates the module',
    // Its providers are brought by `terraform init -backend=false` in the module's folder.
    tools: existsSync(join(folder, '.terraform')) ? ['terraform'] : ['the providers of terraform'],
    run: async () => {
      await runTool('terraform', ['validate', '-no-color'], { cwd: folder });
      return '';
    },
  },
];
