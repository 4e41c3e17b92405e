import type { WorkspaceSettings } from '#libs/contracts';
import type { OrchestratorConfig } from '../orchestrator.config.js';

type Settings = Pick<OrchestratorConfig, 'queue' | 'lease' | 'allowance'>;

/**
 * The settings that functions of the database follow, as they take them: see the migration fair-queue. A workspace's own quotas
 * win over the installation's.
 */
export function queueRules({ queue, lease, allowance }: Settings, own?: WorkspaceSettings) {
  const { userQuotas: user, workspaceQuotas: workspace } = own ?? {};
  return {
    workerLiveSeconds: lease.workerLiveSeconds,
    workspaceSharePercent: queue.workspaceSharePercent,
    bindingHoldSeconds: queue.bindingHoldSeconds,
    shareHoldSeconds: queue.shareHoldSeconds,
    scheduledSharePercent: queue.scheduledSharePercent,
    workspaceRunsMax: queue.workspaceRunsMax,
    depthMax: queue.depthMax,
    workspaceDepthMax: queue.workspaceDepthMax,
    runsPerMinute: allowance.runsPerMinute,
    quotas: {
      user: {
        executions: user?.executions ?? allowance.userExecutions,
        seconds: user?.seconds ?? allowance.userSeconds,
        rows: user?.rows ?? allowance.userRows,
        bytes: user?.bytes ?? allowance.userBytes,
      },
      workspace: {
        executions: workspace?.executions ?? allowance.workspaceExecutions,
        seconds: workspace?.seconds ?? allowance.workspaceSeconds,
        rows: workspace?.rows ?? allowance.workspaceRows,
        bytes: workspace?.bytes ?? allowance.workspaceBytes,
      },
    },
  };
}
