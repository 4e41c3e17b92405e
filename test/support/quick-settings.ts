/**
 * Settings under which what takes half a minute in production takes a second or two here. Ratios are kept: a lease is six
 * heartbeats, and a worker counts as live for one lease.
 */
export const quickSettings: Record<string, string> = {
  SLUICE_LOG_LEVEL: 'info',
  SLUICE_DRAIN_SECONDS: '5',
  SLUICE_ORCHESTRATOR_LEASE_SECONDS: '3',
  SLUICE_ORCHESTRATOR_WORKER_LIVE_SECONDS: '3',
  SLUICE_ORCHESTRATOR_REAP_MS: '250',
  SLUICE_ORCHESTRATOR_DISPATCH_POLL_MS: '250',
  SLUICE_ORCHESTRATOR_UNCLAIMED_MS: '3000',
  SLUICE_ORCHESTRATOR_STOP_GRACE_MS: '1000',
  SLUICE_ORCHESTRATOR_CANCEL_AT_SOURCE_MS: '3000',
  SLUICE_ORCHESTRATOR_RETRY_INITIAL_MS: '100',
  SLUICE_WORKER_HEARTBEAT_MS: '500',
  SLUICE_WORKER_CONNECT_TIMEOUT_MS: '2000',
  SLUICE_WORKER_REPEAT_SECONDS: '6',
};
