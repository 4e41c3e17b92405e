import type { QueueOptions } from 'bullmq';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { defaultPool } from './pool.js';

export const runQueueName = `run-${defaultPool}`;

/**
 * A connection of the queue's own that fails fast: a submit must not wait for Redis, since the reaper makes good what
 * could not be added.
 */
export function runQueueOptions(config: OrchestratorConfig): QueueOptions {
  const { url, username, password } = config.redis.broker;
  return {
    prefix: `{${config.redis.prefix}:bull}`,
    skipWaitingForReady: true,
    connection: {
      url,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      enableOfflineQueue: false,
      maxRetriesPerRequest: 1,
      connectTimeout: 5_000,
      commandTimeout: config.queue.addTimeoutMs,
      keepAlive: 10_000,
    },
  };
}
