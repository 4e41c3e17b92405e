import type { Redis } from 'ioredis';
import type { RedisRole } from './redis-connections.js';

const wanted: Readonly<Record<RedisRole, (policy: string) => boolean>> = {
  broker: (policy) => policy === 'noeviction',
  session: (policy) => policy === 'noeviction',
  cache: (policy) => policy.startsWith('allkeys-'),
};

/** What does not fit between a server's eviction policy and its role, or undefined. Asked by INFO, as ACLs refuse CONFIG. */
export async function policyFault(client: Redis, role: RedisRole): Promise<string | undefined> {
  const info = await client.info('memory');
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  if (policy === undefined || wanted[role](policy)) return undefined;
  const should = role === 'cache' ? 'an allkeys policy such as allkeys-lru' : 'noeviction';
  return `the Redis of the ${role} role has maxmemory-policy ${policy} where ${should} is needed`;
}
