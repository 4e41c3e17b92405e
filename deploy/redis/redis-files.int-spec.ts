import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePort, selfSigned, until } from '#libs/testing';
import { runSluice } from '../cli/run-sluice.ts';

// The files as an operator gets them, each started by the real server; only places and ports are others.

const folder = import.meta.dirname;
const directory = mkdtempSync(join(tmpdir(), 'sluice-redis-files-'));
const passwords = join(directory, 'passwords');
const children: ChildProcess[] = [];
const clients: Redis[] = [];
const password = (user: string): string => readFileSync(join(passwords, user), 'utf8').trim();

afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await Promise.all(
    children.splice(0).map((child) => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      return gone;
    }),
  );
});
afterAll(() => rmSync(directory, { recursive: true }));

beforeAll(async () => {
  for (const role of ['broker', 'session', 'cache']) {
    const { code, stdout, stderr } = await runSluice(['redis-users', '--role', role, '--passwords', passwords]);
    if (code !== 0) throw new Error(stderr);
    writeFileSync(join(directory, `${role}.acl`), stdout);
  }
});

async function start(names: readonly string[], role: string, options: readonly string[] = []): Promise<number> {
  const port = await freePort();
  const file = join(directory, `${port}.conf`);
  const texts = names.map((name) =>
    readFileSync(join(folder, name), 'utf8').replaceAll(
      /^(aclfile|dir|tls-[\w-]+-file|masterauth|port|tls-port) .*$/gm,
      '',
    ),
  );
  writeFileSync(
    file,
    [
      ...texts,
      `dir ${directory}`,
      `aclfile ${join(directory, `${role}.acl`)}`,
      ...options.map((option) => option.replace('PORT', String(port))),
    ].join('\n'),
  );
  const hasPort = options.some((option) => option.includes('PORT'));
  const child = spawn(
    process.env['SLUICE_REDIS_SERVER'] ?? 'redis-server',
    [
      file,
      ...(hasPort ? [] : ['--port', String(port)]),
      '--dbfilename',
      `${port}.rdb`,
      '--appenddirname',
      `aof-${port}`,
    ],
    { stdio: 'ignore' },
  );
  children.push(child);
  return port;
}

function connect(port: number, user: string, tls?: object): Redis {
  const login = { username: `sluice-${user}`, password: password(user) };
  const client = new Redis({ host: '127.0.0.1', port, ...login, ...(tls ? { tls } : {}), disableClientInfo: true });
  client.on('error', () => undefined);
  clients.push(client);
  return client;
}

const upTo = (client: Redis): Promise<string> => until(() => client.ping(), { what: 'the server' });

describe('the configuration of a role', () => {
  it.each([
    ['broker', 'noeviction', 'yes', '3600 1 300 100 60 10000'],
    ['session', 'noeviction', 'yes', '3600 1 300 100 60 10000'],
    ['cache', 'allkeys-lru', 'no', ''],
  ])('%s starts, with its policy, its persistence and what is watched', async (role, policy, appendonly, save) => {
    const port = await start([`${role}.conf`], role);
    const admin = connect(port, 'admin');
    await upTo(admin);
    const names = [
      'maxmemory-policy',
      'appendonly',
      'appendfsync',
      'save',
      'protected-mode',
      'latency-monitor-threshold',
    ];
    const pairs = (await admin.config('GET', ...names, 'slowlog-log-slower-than', 'bind', 'maxmemory')) as string[];
    const of = (name: string): string | undefined => pairs[pairs.indexOf(name) + 1];
    expect(of('maxmemory-policy')).toBe(policy);
    expect([of('appendonly'), of('appendfsync'), of('save')]).toEqual([appendonly, 'everysec', save]);
    expect([of('protected-mode'), of('latency-monitor-threshold'), of('slowlog-log-slower-than')]).toEqual([
      'yes',
      '100',
      '10000',
    ]);
    expect(of('bind')).toBe('127.0.0.1 -::1');
    expect(Number(of('maxmemory'))).toBeGreaterThan(100 * 2 ** 20);
  });

  it('has after a restart what was written in transactions, though nobody can be the default user', async () => {
    const port = await start(['broker.conf'], 'broker', ['enable-debug-command local']);
    const admin = connect(port, 'admin');
    await upTo(admin);
    await admin.multi().set('one', 1).set('two', 2).exec();
    // It reads the append-only file as a start does.
    await admin.call('DEBUG', 'LOADAOF');
    expect(await admin.mget('one', 'two')).toEqual(['1', '2']);
  });

  it('lets nobody in without a password, and no service do harm, on any role', async () => {
    for (const role of ['broker', 'session', 'cache']) {
      const port = await start([`${role}.conf`], role);
      await upTo(connect(port, 'admin'));
      const nobody = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: 0, enableReadyCheck: false });
      clients.push(nobody);
      nobody.on('error', () => undefined);
      await expect(nobody.get('x')).rejects.toThrowError(/NOAUTH/);
      const gateway = connect(port, 'gateway');
      const harmful = [['FLUSHALL'], ['CONFIG', 'GET', '*'], ['KEYS', '*'], ['DEBUG', 'SLEEP', '0'], ['SHUTDOWN']];
      for (const [command = '', ...args] of harmful) {
        await expect(gateway.call(command, ...args)).rejects.toThrowError(/NOPERM|not allowed/);
      }
    }
  });

  it('lets the doctor ask the services', async () => {
    const port = await start(['broker.conf'], 'broker');
    await upTo(connect(port, 'admin'));
    const { stdout } = await runSluice(['doctor'], {
      SLUICE_REDIS_URL: `redis://127.0.0.1:${port}`,
      SLUICE_REDIS_USERNAME: 'sluice-doctor',
      SLUICE_REDIS_PASSWORD: password('doctor'),
    });
    // None of them is there; what could not be sent would be told in other words.
    expect(stdout).toContain('No auth answered within 5 s: nobody took');
  });

  it('lets the operator send dead letters again, and the doctor blames no service whose answer that user cannot hear', async () => {
    const port = await start(['broker.conf'], 'broker');
    await upTo(connect(port, 'admin'));
    const operator = {
      SLUICE_REDIS_BROKER_URL: `redis://127.0.0.1:${port}`,
      SLUICE_REDIS_USERNAME: 'sluice-operator',
      SLUICE_REDIS_PASSWORD: password('operator'),
    };
    const { code, stdout } = await runSluice(['redrive', '--area', 'run'], {
      ...operator,
      // They stand in the settings of all, and nobody knows the operator there.
      SLUICE_REDIS_SESSION_URL: 'redis://127.0.0.1:1',
      SLUICE_REDIS_CACHE_URL: 'redis://127.0.0.1:1',
    });
    expect([code, stdout]).toEqual([0, 'run: 0 sent again, 0 left\n']);
    const { stdout: found } = await runSluice(['doctor'], operator);
    expect(found).toContain('not checked: Services: services: as this user no answer can be read: NOPERM');
    expect(found).not.toContain('critical: Service');
  });

  it.each(['broker', 'session', 'cache'])(
    'lets redis_exporter read the figures and limits of the %s that alerts go by, and no key, and no password of others',
    async (role) => {
      const port = await start([`${role}.conf`], role, [`masterauth ${password('replica')}`]);
      await upTo(connect(port, 'admin'));
      const login = { username: 'sluice_monitor', password: password('monitor') };
      const exporter = new Redis({ host: '127.0.0.1', port, ...login, disableClientInfo: true });
      clients.push(exporter);
      expect(await exporter.info()).toMatch(/^connected_clients:.*^maxclients:10000\r$/ms);
      expect(await exporter.slowlog('LEN')).toBeGreaterThanOrEqual(0);
      const refused = [
        ['GET', 'sluice:x'],
        ['SCAN', '0'],
        ['SLOWLOG', 'GET'],
        ['CONFIG', 'GET', 'masterauth'],
      ];
      for (const [command = '', ...args] of refused) {
        await expect(exporter.call(command, ...args)).rejects.toThrowError(/NOPERM/);
      }
    },
  );

  it('on session and cache a service reaches no key at all, as it has no business there', async () => {
    const port = await start(['session.conf'], 'session');
    const worker = connect(port, 'worker');
    await upTo(worker);
    await expect(worker.set('sluice:{auth}:x', '1')).rejects.toThrowError(/NOPERM/);
    await expect(worker.xadd('sluice:{worker}:request:v1', '*', 'e', '1')).rejects.toThrowError(/NOPERM/);
  });

  it('behind replication.conf takes writes while a replica has them, and refuses them when it is gone', async () => {
    const auth = [`masterauth ${password('replica')}`];
    const primary = await start(['broker.conf', 'replication.conf'], 'broker', [
      ...auth,
      'repl-diskless-sync-delay 0',
      'min-replicas-max-lag 1',
    ]);
    const admin = connect(primary, 'admin');
    await upTo(admin);
    await expect(admin.set('x', '1')).rejects.toThrowError(/NOREPLICAS/);
    const replica = await start(['broker.conf', 'replication.conf'], 'broker', [
      ...auth,
      `replicaof 127.0.0.1 ${primary}`,
    ]);
    await upTo(connect(replica, 'admin'));
    await until(() => admin.set('x', '1'));
    children.at(-1)?.kill('SIGSTOP');
    await until(() =>
      admin.set('x', '2').then(
        () => false,
        (error: Error) => error.message.startsWith('NOREPLICAS'),
      ),
    );
    children.at(-1)?.kill('SIGCONT');
  });

  it('behind tls.conf speaks TLS alone, to whoever has a certificate of the authority', async () => {
    const { certificate, privateKey } = await selfSigned();
    const [crt, key] = ['redis.crt', 'redis.key'].map((name) => join(directory, name));
    writeFileSync(crt ?? '', certificate);
    writeFileSync(key ?? '', privateKey);
    const files = [`tls-cert-file ${crt}`, `tls-key-file ${key}`, `tls-ca-cert-file ${crt}`, 'port 0', 'tls-port PORT'];
    const port = await start(['broker.conf', 'tls.conf'], 'broker', files);
    const trust = { ca: certificate, servername: 'localhost' };
    expect(await upTo(connect(port, 'admin', { ...trust, cert: certificate, key: privateKey }))).toBe('PONG');
    const plain = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: 0 });
    const bare = new Redis({ host: '127.0.0.1', port, tls: trust, maxRetriesPerRequest: 0 });
    clients.push(plain, bare);
    for (const client of [plain, bare]) {
      client.on('error', () => undefined);
      await expect(client.ping()).rejects.toThrowError();
    }
  });
});

describe('sluice redis-users', () => {
  it('keeps the passwords that are there, and makes users and keys of another prefix', async () => {
    const before = password('gateway');
    const args = ['redis-users', '--role', 'broker', '--passwords', passwords, '--prefix', 'other'];
    const { stdout } = await runSluice(args);
    expect(password('gateway')).toBe(before);
    expect(stdout).toMatch(/^user other-gateway on #[0-9a-f]{64} .*~other:\{auth\}:request:v1/m);
    expect(stdout).not.toContain('sluice');
    expect(stdout).toMatch(/^user default off /m);
  });

  it('makes no user whom an empty or a short password would let in', async () => {
    const own = join(directory, 'short');
    mkdirSync(own);
    for (const password of ['', 'sluice']) {
      writeFileSync(join(own, 'gateway'), password);
      const { code, stdout, stderr } = await runSluice(['redis-users', '--role', 'broker', '--passwords', own]);
      expect([code, stdout, stderr]).toEqual([1, '', expect.stringContaining('gateway has no password of 16')]);
    }
  });
});

describe('sentinel-notify.sh', () => {
  it('raises an alert with what Sentinel says, whatever is in it, and does nothing where there is no address', async () => {
    const { createServer } = await import('node:http');
    const bodies: string[] = [];
    const server = createServer((request, response) => {
      request.on('data', (chunk: Buffer) => bodies.push(`${request.url} ${chunk.toString()}`));
      request.on('end', () => response.end());
    });
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const run = promisify(execFile);
    const script = join(folder, 'sentinel-notify.sh');
    const env = { PATH: process.env['PATH'], SLUICE_ALERTMANAGER_URL: `http://127.0.0.1:${port}/` };
    await run(script, ['+odown', 'master sluice-broker "a\\b" #quorum 2/2'], { env });
    await run(script, ['+sdown', 'slave'], { env: { PATH: process.env['PATH'] } });
    await new Promise((resolve) => server.close(resolve));
    expect(bodies).toHaveLength(1);
    const [path = '', body = ''] = bodies[0]?.split(/ (.*)/s) ?? [];
    expect(path).toBe('/api/v2/alerts');
    expect(JSON.parse(body)).toEqual([
      {
        labels: { alertname: 'RedisSentinel', event: '+odown', severity: 'critical' },
        annotations: { description: 'master sluice-broker "a\\b" #quorum 2/2' },
      },
    ]);
  });
});
