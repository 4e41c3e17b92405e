import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where programs lie that are built once for a machine; see build-deploy-tools.ts. */
export const toolCache = join(homedir(), '.cache', 'sluice', 'bin');
