import type { RedisConnections } from '#libs/redis';
import type { Fault } from '../examination.js';
import type { Thresholds } from '../thresholds.js';

const scansMax = 20;
const countAtOnce = 500;
const activeLooked = 100;

/** The lanes to the workers: jobs that nobody takes, and jobs whose worker has died. */
export async function queueFaults(redis: RedisConnections, nowMs: number, limits: Thresholds): Promise<Fault[]> {
  const faults: Fault[] = [];
  for (const name of await queueNames(redis)) {
    faults.push(...(await waitingFault(redis, name, nowMs, limits)), ...(await stalledFault(redis, name)));
  }
  return faults;
}

/** BullMQ lists its queues nowhere, but each has a key of this name. So many looks are enough for what a broker holds. */
async function queueNames(redis: RedisConnections): Promise<string[]> {
  const [begin, end] = [`${redis.keys.bull}:`, ':meta'];
  const names = new Set<string>();
  for (let cursor = '0', looks = 0; looks < scansMax && (looks === 0 || cursor !== '0'); looks += 1) {
    const [next, keys] = await redis.client('broker').scan(cursor, 'MATCH', `${begin}*${end}`, 'COUNT', countAtOnce);
    for (const key of keys) names.add(key.slice(begin.length, -end.length));
    cursor = next;
  }
  return [...names];
}

async function waitingFault(
  redis: RedisConnections,
  name: string,
  nowMs: number,
  { jobSeconds }: Thresholds,
): Promise<Fault[]> {
  const client = redis.client('broker');
  const queue = `${redis.keys.bull}:${name}`;
  // The next to be taken is the last of the list.
  const next = await client.lindex(`${queue}:wait`, -1);
  const since = next === null ? null : await client.hget(`${queue}:${next}`, 'timestamp');
  const seconds = since === null ? 0 : (nowMs - Number(since)) / 1_000;
  if (seconds <= jobSeconds) return [];
  const what = `${await client.llen(`${queue}:wait`)} jobs of ${name} wait, the next for ${Math.round(seconds)} s.`;
  const why = 'A job is made for a slot that is free: so no worker reads this queue.';
  return [
    {
      severity: 'CRITICAL',
      what,
      why,
      mend: 'systemctl start sluice@worker; or: kubectl scale deployment/sluice-worker-default --replicas=<more>',
    },
  ];
}

/** A worker renews the lock of what it does; without one its worker is gone. */
async function stalledFault(redis: RedisConnections, name: string): Promise<Fault[]> {
  const client = redis.client('broker');
  const queue = `${redis.keys.bull}:${name}`;
  const active = await client.lrange(`${queue}:active`, 0, activeLooked - 1);
  const locks = await Promise.all(active.map((id) => client.exists(`${queue}:${id}:lock`)));
  const unlocked = active.filter((_, index) => locks[index] === 0);
  if (unlocked.length === 0) return [];
  // One that has ended between the two looks had no lock either.
  const still = new Set(await client.lrange(`${queue}:active`, 0, -1));
  const count = unlocked.filter((id) => still.has(id)).length;
  if (count === 0) return [];
  const what = `${count} jobs of ${name} have stalled.`;
  const why = 'Their worker has died, or its event loop was held up for longer than a lock lasts.';
  return [
    { severity: 'WARNING', what, why, mend: 'systemctl restart sluice@worker; PostgreSQL gives their runs out anew' },
  ];
}
