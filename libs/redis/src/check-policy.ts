import { Cluster, type Redis } from 'ioredis';
import type { RedisClient, RedisRole } from './redis-connections.js';

const wanted: Readonly<Record<RedisRole, (policy: string) => boolean>> = {
  broker: (policy) => policy === 'noeviction',
  session: (policy) => policy === 'noeviction',
  cache: (policy) => policy.startsWith('allkeys-'),
};

/**
 * What does not fit between the eviction policy of a server, of a Cluster any of its masters, and its role; or undefined. Asked by
 * INFO, as ACLs and managed services refuse CONFIG.
 */
export async function policyFault(client: RedisClient, role: RedisRole): Promise<string | undefined> {
  // The nodes of a Cluster are known once it has answered.
  await client.ping();
  const servers = client instanceof Cluster ? client.nodes('master') : [client];
  const faults = await Promise.all(servers.map((server) => policyFaultOf(server, role)));
  return faults.find((fault) => fault !== undefined);
}

async function policyFaultOf(client: Redis, role: RedisRole): Promise<string | undefined> {
  const info = await client.info('memory');
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  if (policy === undefined || wanted[role](policy)) return undefined;
  const should = role === 'cache' ? 'an allkeys policy such as allkeys-lru' : 'noeviction';
  return `the Redis of the ${role} role has maxmemory-policy ${policy} where ${should} is needed`;
}
