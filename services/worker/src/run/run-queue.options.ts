import type { QueueOptions } from 'bullmq';
import type { RedisConnections } from '#libs/redis';

/** How the lanes are read: a connection that waits for Redis as long as it takes, since nobody waits for it. */
export function runQueueOptions(redis: RedisConnections): QueueOptions {
  const { retryStrategy, ...options } = redis.optionsOf('broker');
  return {
    prefix: redis.keys.bull,
    connection: {
      ...options,
      // ioredis has null for never; BullMQ leaves it out.
      ...(retryStrategy ? { retryStrategy } : {}),
      maxRetriesPerRequest: null,
    },
  };
}
