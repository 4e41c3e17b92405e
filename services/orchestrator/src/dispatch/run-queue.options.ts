import type { QueueOptions } from 'bullmq';
import type { RedisConnections } from '#libs/redis';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { defaultPool } from './pool.js';

export const runQueueName = `run-${defaultPool}`;

/**
 * A connection of the queue's own that fails fast: nothing here waits for Redis, since the reaper makes good what could
 * not be added.
 */
export function runQueueOptions(config: OrchestratorConfig, redis: RedisConnections): QueueOptions {
  return {
    prefix: redis.keys.bull,
    connection: redis.connectionFor('broker', {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 1,
      commandTimeout: config.queue.addTimeoutMs,
    }),
  };
}
