import type { RedisClient } from '#libs/redis';

export interface GroupState {
  name: string;
  consumers: number;
  pending: number;
  /** Entries that it has not been handed yet; 0 where Redis cannot tell. */
  lag: number;
  lastDelivered: string;
  oldestPending: string | undefined;
}

/** The groups of a stream and how far they are; none where there is no stream. */
export async function groupsOf(client: RedisClient, key: string): Promise<GroupState[]> {
  const groups: GroupState[] = [];
  for (const flat of await groupInfos(client, key)) {
    const of = (name: string): unknown => flat[flat.indexOf(name) + 1];
    const name = String(of('name'));
    const summary: unknown = await client.xpending(key, name);
    groups.push({
      name,
      consumers: Number(of('consumers')),
      pending: Number(of('pending')),
      lag: Number(of('lag') ?? 0),
      lastDelivered: String(of('last-delivered-id')),
      oldestPending: Array.isArray(summary) && typeof summary[1] === 'string' ? summary[1] : undefined,
    });
  }
  return groups;
}

async function groupInfos(client: RedisClient, key: string): Promise<unknown[][]> {
  try {
    const raw: unknown = await client.xinfo('GROUPS', key);
    return Array.isArray(raw) ? raw.filter((each): each is unknown[] => Array.isArray(each)) : [];
  } catch (error) {
    if (error instanceof Error && error.message.includes('no such key')) return [];
    throw error;
  }
}
