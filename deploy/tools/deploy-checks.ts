import type { DeployCheck } from './deploy-check.ts';
import { manifestChecks } from './manifest-checks.ts';
import { scriptChecks } from './script-checks.ts';

/** All checks of `npm run check:deploy`. A folder of deploy/ with files to check has its own list, named here. */
export const deployChecks: readonly DeployCheck[] = [...scriptChecks, ...manifestChecks];
