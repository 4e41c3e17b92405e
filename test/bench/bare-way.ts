import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { Repeated } from './http-load.ts';
import type { Installation } from './installation.ts';

const table = 'public.bare_way';

/**
 * What the record of a hit costs with nothing around it: HTTP, a Redis stream to a second process, one insert of one small row, a
 * stream back, an answer of so many bytes. On the installation's own Redis and PostgreSQL, by the same sockets.
 */
export async function startBareWay(
  mesh: Installation,
  { port: databasePort, bytes }: { port: number; bytes: number },
): Promise<{ question: Repeated; stop(): Promise<void> }> {
  const { databasePassword, redisPassword } = mesh.secrets();
  const database = {
    host: mesh.databaseSocketDirectory(),
    port: databasePort,
    user: 'postgres',
    password: databasePassword,
    database: 'sluice',
  };
  const client = new pg.Client(database);
  await client.connect();
  await client.query(`drop table if exists ${table}; create table ${table} (id text primary key, note text)`);
  const settings = {
    redis: { path: mesh.brokerSocket(), username: 'default', password: redisPassword },
    stream: `bench:way:${Date.now()}`,
    ...{ database, table, bytes },
  };
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const child of children) await end(child);
    await client.query(`drop table ${table}`);
    await client.end();
  };
  let port = '';
  try {
    for (const role of ['recorder', 'edge']) port = await startRole(role, settings, children);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    question: {
      url: `http://127.0.0.1:${port}/`,
      headers: {},
      body: '{}',
      check: (text) => {
        if (text.length !== bytes) throw new Error(`not the constant: ${text.slice(0, 300)}`);
      },
    },
    stop,
  };
}

/** @returns the first line that it writes */
async function startRole(role: string, settings: object, children: ChildProcess[]): Promise<string> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./bare-way.mjs', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production', BARE_WAY: JSON.stringify({ role, ...settings }) },
  });
  children.push(child);
  const exit = once(child, 'exit').then(() => {
    throw new Error(`the ${role} of the bare way has ended`);
  });
  const [line] = (await Promise.race([once(child.stdout, 'data'), exit])) as [Buffer];
  exit.catch(() => undefined);
  return line.toString().trim();
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.stdin?.end();
  await exit;
}
