import type { RedisConnections } from '#libs/redis';

const connectMs = 5_000;

/** @throws with what keeps us from it, before a command fails by it in words of its own */
export async function reachBroker(redis: RedisConnections): Promise<void> {
  if (await redis.ready('broker', connectMs)) return;
  throw new Error(`The Redis of the broker role (SLUICE_REDIS_BROKER_URL) cannot be used: ${redis.whyAway('broker')}`);
}
