import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';

/** As the image starts it, with nothing in its environment. */
function start(...words: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['deploy/image/start.mjs', ...words], {
    env: { PATH: process.env['PATH'] },
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

describe('The program of the image', () => {
  it.each(['auth', 'gateway', 'metadata', 'orchestrator', 'results', 'worker'])(
    'runs %s, which names what it lacks and ends with the code that systemd does not try again',
    (service) => {
      const { status, output } = start(service);
      expect(status).toBe(78);
      expect(output).toContain('SLUICE_REDIS_BROKER_URL is missing');
    },
  );

  it('runs a command for operators', () => {
    const { status, output } = start('sluice', 'new-secrets', '--format', 'kubernetes');
    expect(status).toBe(0);
    expect(Object.keys((JSON.parse(output) as { stringData: object }).stringData)).toContain('master-keys');
  });

  it('says in a sentence that Node.js is too old', () => {
    const older = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.17.1' } })`;
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--import', `data:text/javascript,${encodeURIComponent(older)}`, 'deploy/image/start.mjs', 'sluice', '--help'],
      { encoding: 'utf8' },
    );
    expect([status, stderr]).toEqual([78, 'Node.js 22.17.1 is too old: 22.18 or later is needed.\n']);
  });

  it('runs a service that a reload does not end while it starts', async () => {
    // A Redis that is there and does not answer.
    await using redis = createServer();
    await new Promise<void>((listening) => redis.listen(0, '127.0.0.1', listening));
    const asked = once(redis, 'connection');
    const { port } = redis.address() as AddressInfo;
    const key = Buffer.alloc(32, 7).toString('base64');
    const child = spawn(process.execPath, ['deploy/image/start.mjs', 'gateway'], {
      env: {
        PATH: process.env['PATH'],
        SLUICE_REDIS_URL: `redis://127.0.0.1:${port}`,
        SLUICE_MASTER_KEYS: `k1:${key}`,
        SLUICE_GATEWAY_CURSOR_KEYS: `k1:${key}`,
        SLUICE_STORE_DIRECTORY: tmpdir(),
      },
      stdio: 'ignore',
    });
    const gone = once(child, 'exit');
    await asked;
    child.kill('SIGHUP');
    child.kill('SIGKILL');
    expect(await gone).toEqual([null, 'SIGKILL']);
  });

  it('says what it takes where it is asked for anything else', () => {
    expect(start('gatewya')).toMatchObject({ status: 64, output: expect.stringContaining('gateway') as string });
  });
});
