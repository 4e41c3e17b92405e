import { isIP } from 'node:net';
import type { Redis } from 'ioredis';
import type { RedisRole } from '#libs/redis';
import type { Thresholds } from '../thresholds.js';
import type { RedisInfo } from './redis-info.js';

/** One server of Redis, what it is for, and what it has said of itself. */
export interface RedisSubject {
  readonly role: RedisRole;
  readonly client: Redis;
  readonly info: RedisInfo;
  readonly limits: Thresholds;
}

/** A server of this machine, which nobody outside of it reaches by the address that we use. */
export function isLocal({ client }: Pick<RedisSubject, 'client'>): boolean {
  const { path, host = '' } = client.options;
  return Boolean(path) || host === 'localhost' || (isIP(host) === 4 ? host.startsWith('127.') : host === '::1');
}

/** One setting of the server. @throws where its user may not read it */
export async function settingOf({ client }: Pick<RedisSubject, 'client'>, name: string): Promise<string | undefined> {
  const answer: unknown = await client.call('CONFIG', 'GET', name);
  return Array.isArray(answer) && typeof answer[1] === 'string' ? answer[1] : undefined;
}
