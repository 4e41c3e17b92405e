import type { QueueOptions } from 'bullmq';
import type { RedisConnections } from '#libs/redis';

/** How the lanes are read: a connection that waits for Redis as long as it takes, since nobody waits for it. */
export function runQueueOptions(redis: RedisConnections): QueueOptions {
  return { prefix: redis.keys.bull, connection: redis.connectionFor('broker', { maxRetriesPerRequest: null }) };
}
