import type { OrchestratorConfig } from '../orchestrator.config.js';

type Settings = Pick<OrchestratorConfig, 'queue' | 'lease' | 'allowance'>;

/** The settings that functions of the database follow, as they take them: see the migration fair-queue. */
export function queueRules({ queue, lease, allowance }: Settings) {
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
        executions: allowance.userExecutions,
        seconds: allowance.userSeconds,
        rows: allowance.userRows,
        bytes: allowance.userBytes,
      },
      workspace: {
        executions: allowance.workspaceExecutions,
        seconds: allowance.workspaceSeconds,
        rows: allowance.workspaceRows,
        bytes: allowance.workspaceBytes,
      },
    },
  };
}
