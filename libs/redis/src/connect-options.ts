import { isIP } from 'node:net';
import type { RedisOptions } from 'ioredis';
import { backoffMs } from '#libs/kernel';

export interface RoleSettings {
  readonly url?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** How to reach the Redis of a role, and how to come back to it; the same for every client of ours and of BullMQ. */
export function connectOptions({ url, username, password }: RoleSettings): RedisOptions | undefined {
  if (url === undefined) return undefined;
  const address = new URL(url);
  const name = username ?? decodeURIComponent(address.username);
  const word = password ?? decodeURIComponent(address.password);
  return {
    ...(address.protocol === 'unix:' ? { path: socketOf(address) } : serverOf(address)),
    ...(name === '' ? {} : { username: name }),
    ...(word === '' ? {} : { password: word }),
    connectTimeout: 5_000,
    keepAlive: 10_000,
    retryStrategy: (attempt) => backoffMs(attempt, { initialMs: 50, maxMs: 2_000 }),
    // A failover leaves us with a replica: connect anew, and send again what it has surely not done.
    reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 2 : false),
  };
}

function serverOf(address: URL): RedisOptions {
  const host = address.hostname.replace(/^\[|\]$/g, '');
  return {
    host,
    port: address.port === '' ? 6379 : Number(address.port),
    ...(address.pathname.length > 1 ? { db: databaseOf(address) } : {}),
    ...(address.protocol === 'rediss:' ? { tls: isIP(host) === 0 ? { servername: host } : {} } : {}),
  };
}

/** A socket of this machine; a URL of this form carries no user, no password and no number of a database. */
function socketOf(address: URL): string {
  if (address.host !== '' || address.search !== '') {
    throw new Error(
      'the URL of a Redis socket is unix:// and the whole path alone, such as unix:///run/redis/redis.sock',
    );
  }
  return decodeURIComponent(address.pathname);
}

function databaseOf({ pathname }: URL): number {
  const database = Number(pathname.slice(1));
  if (!Number.isInteger(database)) throw new Error(`a Redis URL ends in the number of a database, not in ${pathname}`);
  return database;
}
