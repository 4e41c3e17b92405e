import { z } from 'zod';

interface Login {
  readonly username: string;
  readonly password: string;
}

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Where a Redis is, as its URL says. */
export type RedisAddress =
  | { readonly kind: 'socket'; readonly path: string }
  | (Login & Endpoint & { readonly kind: 'standalone'; readonly isEncrypted: boolean; readonly database: number })
  | (Login & {
      readonly kind: 'sentinel';
      /** Of the sentinels. */
      readonly hosts: readonly Endpoint[];
      /** The name that the sentinels have for what they watch. */
      readonly primary: string;
      readonly isEncrypted: boolean;
      readonly database: number;
    })
  | (Login & { readonly kind: 'cluster'; readonly hosts: readonly Endpoint[]; readonly isEncrypted: boolean });

const forms =
  'redis://, rediss://, redis+sentinel://, rediss+sentinel://, redis+cluster://, rediss+cluster:// or unix://';
// One URL for several hosts, which URL itself does not take.
const urlForm =
  /^redis(?<encrypted>s?)(?:\+(?<kind>sentinel|cluster))?:\/\/(?:(?<username>[^:@/]*)(?::(?<password>[^@/]*))?@)?(?<hosts>[^/?#@]+)(?<path>\/[^?#]*)?$/;

/**
 * - `redis[s]://[user:password@]host[:port][/database]`
 * - `redis[s]+sentinel://[user:password@]host[:port],…/<name of the primary>[/database]`
 * - `redis[s]+cluster://[user:password@]host[:port],…`
 * - `unix:///path/of/the/socket`
 *
 * @throws Error that says what is wrong and has nothing of the URL in it, as that may hold a password
 */
export function parseRedisUrl(url: string): RedisAddress {
  if (url.startsWith('unix:')) return { kind: 'socket', path: socketOf(url) };
  const parts = urlForm.exec(url)?.groups;
  if (!parts) throw new Error(`a Redis URL begins with ${forms}`);
  const { encrypted, kind = 'standalone', username = '', password = '', hosts: list = '', path = '' } = parts;
  const isEncrypted = encrypted === 's';
  const login = { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  const hosts = list.split(',').map((host) => endpointOf(host, kind === 'sentinel' ? 26_379 : 6_379));
  const segments = path.split('/').filter((segment) => segment !== '');
  if (kind === 'cluster') {
    refuseDatabase(segments);
    return { kind, hosts, isEncrypted, ...login };
  }
  if (kind === 'sentinel') return { kind, hosts, isEncrypted, ...login, ...watchedOf(segments) };
  const [first] = hosts;
  if (!first || hosts.length > 1) {
    throw new Error('several hosts need a URL that begins with redis+sentinel:// or redis+cluster://');
  }
  return { kind: 'standalone', ...first, isEncrypted, ...login, database: databaseOf(segments) };
}

/** The URL of a Redis, checked as far as it can be without asking it. */
export const redisUrlText = z.string().superRefine((text, context) => {
  try {
    parseRedisUrl(text);
  } catch (error) {
    context.addIssue({
      code: 'custom',
      message: error instanceof Error ? error.message : 'must be the URL of a Redis',
    });
  }
});

/** A socket of this machine; a URL of this form carries no user, no password and no number of a database. */
function socketOf(url: string): string {
  const address = URL.canParse(url) ? new URL(url) : undefined;
  if (!address || address.host !== '' || address.search !== '' || address.pathname === '') {
    throw new Error(
      'the URL of a Redis socket is unix:// and the whole path alone, such as unix:///run/redis/redis.sock',
    );
  }
  return decodeURIComponent(address.pathname);
}

function endpointOf(text: string, defaultPort: number): Endpoint {
  const [, inBrackets, name, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = inBrackets ?? name;
  if (host === undefined || Number(port ?? 0) > 65_535) {
    throw new Error('a host in a Redis URL is a name or an address, with the port behind a colon');
  }
  return { host, port: port === undefined ? defaultPort : Number(port) };
}

function watchedOf([primary, ...rest]: readonly string[]): { primary: string; database: number } {
  if (primary === undefined) {
    throw new Error('the URL of sentinels ends in the name of the primary that they watch, such as /sluice-broker');
  }
  return { primary: decodeURIComponent(primary), database: databaseOf(rest) };
}

function databaseOf(segments: readonly string[]): number {
  const [database = '0'] = segments;
  if (segments.length > 1 || !/^\d{1,5}$/.test(database))
    throw new Error('a Redis URL ends in the number of a database');
  return Number(database);
}

function refuseDatabase(segments: readonly string[]): void {
  if (segments.length === 0 || (segments.length === 1 && segments[0] === '0')) return;
  throw new Error(
    'a Redis Cluster has one database only: take the number off the URL, and keep installations apart by SLUICE_REDIS_PREFIX',
  );
}
