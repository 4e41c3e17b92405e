import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort, startRedis, until, type RedisServer } from '#libs/testing';

const root = fileURLToPath(new URL('../..', import.meta.url));
const key = Buffer.alloc(32, 7).toString('base64');

let folder: string;
let redis: RedisServer;
let gateway: ChildProcess;
let port: number;
let metricsPort: number;
let output = '';
let ended: Promise<unknown>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-live-'));
  redis = await startRedis();
  port = await freePort();
  metricsPort = await freePort();
  write('SLUICE_GATEWAY_SOCKETS_MAX: 11');
  gateway = spawn(process.execPath, [join(root, 'dist/services/gateway/src/main.js')], {
    env: {
      PATH: process.env['PATH'],
      SLUICE_CONFIG_FILE: join(folder, 'sluice.yaml'),
      SLUICE_REDIS_URL: redis.url,
      SLUICE_MASTER_KEYS: `k1:${key}`,
      SLUICE_GATEWAY_CURSOR_KEYS: `k1:${key}`,
      SLUICE_STORE_DIRECTORY: folder,
      SLUICE_GATEWAY_PORT: String(port),
      SLUICE_GATEWAY_METRICS_PORT: String(metricsPort),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  ended = once(gateway, 'close');
  for (const stream of [gateway.stdout, gateway.stderr])
    stream?.on('data', (data: Buffer) => (output += data.toString()));
  await until(async () => output.includes('"started"'), { what: 'the gateway', timeoutMs: 20_000 });
});
afterAll(async () => {
  gateway.kill('SIGKILL');
  await ended;
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
});

function write(...settings: string[]): void {
  writeFileSync(
    join(folder, 'sluice.yaml'),
    `version: 1\nsettings:\n${settings.map((each) => `  ${each}\n`).join('')}`,
  );
}

/** What the gateway logs of a reading that this signal has caused. */
async function signalled(): Promise<string> {
  const from = output.length;
  gateway.kill('SIGHUP');
  await until(async () => /read anew|has faults/.test(output.slice(from)), { what: 'the reading' });
  return output.slice(from);
}

async function socketsMax(): Promise<string | undefined> {
  const metrics = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
  return /^sluice_gateway_sockets_max\{?[^}\n]*\}? (\d+)$/m.exec(await metrics.text())?.[1];
}

test('A running service reads its settings anew at SIGHUP: what is live holds at once, and what is not is named', async () => {
  expect(await socketsMax()).toBe('11');
  // Nothing but the signal can have caused this one: the file is as it was.
  expect(await signalled()).toContain('"changed":[]');
  write('SLUICE_GATEWAY_SOCKETS_MAX: 12', 'SLUICE_GATEWAY_HOST: 127.0.0.2');
  const log = await signalled();
  expect(log).toContain('"changed":["SLUICE_GATEWAY_SOCKETS_MAX"]');
  expect(log).toContain('"needRestart":["SLUICE_GATEWAY_HOST"]');
  expect(await socketsMax()).toBe('12');
});

test('A file with a fault changes nothing of a running service, which names the fault and goes on', async () => {
  const before = await socketsMax();
  write('SLUICE_GATEWAY_SOCKETS_MAX: none');
  expect(await signalled()).toContain('SLUICE_GATEWAY_SOCKETS_MAX');
  expect(await socketsMax()).toBe(before);
  expect(gateway.exitCode).toBeNull();
  write('SLUICE_GATEWAY_SOCKETS_MAX: 13', 'SLUICE_LOG_LEVEL: error');
  gateway.kill('SIGHUP');
  await until(async () => (await socketsMax()) === '13', { what: 'the limit' });
});

test('A service that drains is not ended by a reload', async () => {
  write('SLUICE_LOG_LEVEL: info');
  await signalled();
  // For a connection that may be used again the drain waits.
  await (await fetch(`http://127.0.0.1:${port}/graphql`)).text();
  gateway.kill('SIGTERM');
  await until(async () => output.includes('"stopping"'), { what: 'the drain' });
  gateway.kill('SIGHUP');
  expect(await ended).toEqual([0, null]);
});
