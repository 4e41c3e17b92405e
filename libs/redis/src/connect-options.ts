import { isIP } from 'node:net';
import type { RedisOptions } from 'ioredis';
import { parseRedisUrl, type RedisAddress } from '#libs/config';
import { backoffMs } from '#libs/kernel';

export interface RoleSettings {
  readonly url?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly sentinelUsername?: string | undefined;
  readonly sentinelPassword?: string | undefined;
  readonly tlsCa?: string | undefined;
  readonly tlsCertificate?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsServerName?: string | undefined;
}

/** Of a connection to a server. ioredis has null for never; BullMQ leaves it out. */
export type ServerOptions = Omit<RedisOptions, 'retryStrategy'> & { retryStrategy?: (attempt: number) => number };

/** How to reach the Redis of a role, and how to come back to it; the same for every client of ours and of BullMQ. */
export interface ConnectOptions {
  /** Where to learn of the nodes of a Redis Cluster; undefined for one server, also one that sentinels name. */
  readonly clusterNodes?: readonly { host: string; port: number }[];
  /** Of a connection to a server, any of them. */
  readonly options: ServerOptions;
}

export function connectOptions(settings: RoleSettings): ConnectOptions | undefined {
  if (settings.url === undefined) return undefined;
  const address = parseRedisUrl(settings.url);
  const options: ServerOptions = {
    ...loginOf(address, settings),
    // An ACL would have to allow it, which Redis 7.0 does not know.
    disableClientInfo: true,
    connectTimeout: 5_000,
    keepAlive: 10_000,
    retryStrategy: (attempt) => backoffMs(attempt, { initialMs: 50, maxMs: 2_000 }),
    // A failover leaves us with a replica: connect anew, and send again what it has surely not done.
    reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 2 : false),
  };
  if (address.kind === 'cluster') {
    return { clusterNodes: address.hosts, options: { ...options, ...tlsOf(address, settings) } };
  }
  return { options: { ...options, ...serverOf(address, settings) } };
}

function serverOf(address: Exclude<RedisAddress, { kind: 'cluster' }>, settings: RoleSettings): ServerOptions {
  if (address.kind === 'socket') return { path: address.path };
  const { database } = address;
  const db = database === 0 ? {} : { db: database };
  if (address.kind === 'sentinel') return { ...sentinelsOf(address, settings), ...db };
  return { host: address.host, port: address.port, ...db, ...tlsOf(address, settings) };
}

function sentinelsOf(address: Extract<RedisAddress, { kind: 'sentinel' }>, settings: RoleSettings): ServerOptions {
  const { sentinelUsername, sentinelPassword } = settings;
  const encrypted = tlsOf(address, settings);
  return {
    sentinels: [...address.hosts],
    name: address.primary,
    sentinelCommandTimeout: 2_000,
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...encrypted,
    ...(encrypted.tls ? { sentinelTLS: encrypted.tls, enableTLSForSentinelMode: true } : {}),
  };
}

function loginOf(address: RedisAddress, { username, password }: RoleSettings): ServerOptions {
  const inUrl = address.kind === 'socket' ? { username: '', password: '' } : address;
  const name = username ?? inUrl.username;
  const word = password ?? inUrl.password;
  return { ...(name === '' ? {} : { username: name }), ...(word === '' ? {} : { password: word }) };
}

/** By the name in the settings, else by that of the URL where it has one; a server that is found by others has none there. */
function tlsOf(address: Exclude<RedisAddress, { kind: 'socket' }>, settings: RoleSettings): Pick<ServerOptions, 'tls'> {
  if (!address.isEncrypted) return {};
  const { tlsCa: ca, tlsCertificate: cert, tlsKey: key, tlsServerName } = settings;
  const named = address.kind === 'standalone' && isIP(address.host) === 0 ? address.host : undefined;
  const servername = tlsServerName ?? named;
  return {
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(servername === undefined ? {} : { servername }),
    },
  };
}
