import { resolve } from 'node:path';
import { runTool, type DeployCheck } from '../tools/deploy-check.ts';

/** nginx.conf itself is run by nginx.int-spec.ts. */
export const keepalivedChecks: readonly DeployCheck[] = [
  {
    name: 'keepalived accepts keepalived.conf',
    // Its script asks by curl, and has to be there.
    tools: ['keepalived', 'curl'],
    async run() {
      await runTool('keepalived', ['--config-test', `--use-file=${resolve('deploy/nginx/keepalived.conf')}`]);
      return '';
    },
  },
];
