import { composeChecks } from '../compose/compose-checks.ts';
import { chartChecks } from '../helm/chart-checks.ts';
import { imageChecks } from '../image/image-checks.ts';
import { keepalivedChecks } from '../nginx/keepalived-checks.ts';
import { systemdChecks } from '../systemd/systemd-checks.ts';
import { telemetryChecks } from '../telemetry/telemetry-checks.ts';
import { terraformChecks } from '../terraform/terraform-checks.ts';
import type { DeployCheck } from './deploy-check.ts';
import { manifestChecks } from './manifest-checks.ts';
import { queryChecks } from './manifest-queries.ts';
import { scriptChecks } from './script-checks.ts';
import { workflowChecks } from './workflow-checks.ts';

/** All checks of `npm run check:deploy`. A folder of deploy/ with files to check has its own list, named here. */
export const deployChecks: readonly DeployCheck[] = [
  ...scriptChecks,
  ...imageChecks,
  ...composeChecks,
  ...manifestChecks,
  ...chartChecks,
  ...queryChecks,
  ...keepalivedChecks,
  ...systemdChecks,
  ...telemetryChecks,
  ...terraformChecks,
  ...workflowChecks,
];
