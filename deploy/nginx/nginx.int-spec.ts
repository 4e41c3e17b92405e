import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request, type RequestOptions } from 'node:http';
import { request as requestTls } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { freePort, selfSigned, until } from '#libs/testing';
import { findTool } from '../tools/deploy-check.ts';
import { TestGateway } from './test-gateway.ts';

const nginx = findTool('nginx');
const folder = mkdtempSync(join(tmpdir(), 'sluice-nginx-'));

interface Answer {
  status: number;
  body: string;
}

/** The delivered file, with places of this test in the stead of the example's, and a second for its thirty. */
async function configuration(ports: { tls: number; plain: number }, gateways: readonly TestGateway[]): Promise<string> {
  const { certificate, privateKey } = await selfSigned();
  writeFileSync(join(folder, 'fullchain.pem'), certificate);
  writeFileSync(join(folder, 'privkey.pem'), privateKey);
  const servers = gateways.map(({ port }) => `server 127.0.0.1:${port} max_fails=3 fail_timeout=1s;`).join('\n');
  return readFileSync('deploy/nginx/nginx.conf', 'utf8')
    .replace(/(\s+server 10\.0\.1\.\d+:4000 [^;]+;)+/, `\n${servers}`)
    .replace('listen 80;', `listen 127.0.0.1:${ports.plain};`)
    .replace('listen 443 ssl http2;', `listen 127.0.0.1:${ports.tls} ssl http2;`)
    .replaceAll(/\/etc\/nginx\/sluice|\/var\/log\/nginx|\/run\/(?=nginx)/g, `${folder}/`)
    .replace('worker_processes auto;', 'worker_processes 2;')
    .replace(/^user .*$/m, `daemon off;`)
    .replace(
      'http {',
      `http {\n${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n')}`,
    );
}

describe.skipIf(nginx === undefined)('nginx.conf, run by nginx in front of two gateways', () => {
  const ports = { tls: 0, plain: 0 };
  let gateways: [TestGateway, TestGateway];
  let proxy: ChildProcess | undefined;

  const toProxy = (): RequestOptions & { rejectUnauthorized: false } => ({
    ...{ host: '127.0.0.1', port: ports.tls, rejectUnauthorized: false, agent: false },
  });
  const ask = (path: string, options: RequestOptions = {}, body?: string): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const sent = requestTls({ ...toProxy(), path, ...options }, (response) => {
        text(response).then((whole) => resolve({ status: response.statusCode ?? 0, body: whole }), reject);
      });
      sent.on('error', reject).end(body);
    });

  beforeAll(async () => {
    Object.assign(ports, { tls: await freePort(), plain: await freePort() });
    gateways = [new TestGateway('first', await freePort()), new TestGateway('second', await freePort())];
    writeFileSync(join(folder, 'nginx.conf'), await configuration(ports, gateways));
    proxy = spawn(nginx ?? '', ['-c', join(folder, 'nginx.conf'), '-p', folder, '-e', join(folder, 'start.log')], {
      stdio: 'inherit',
    });
    const isUp = (): Promise<boolean> =>
      new Promise((resolve) => {
        const socket = connect(ports.tls, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
        socket.on('connect', () => socket.destroy());
      });
    await until(isUp, { what: 'nginx' });
  });
  afterAll(async () => {
    const gone = new Promise((resolve) => proxy?.once('exit', resolve));
    proxy?.kill('SIGTERM');
    await gone;
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await Promise.all(gateways.map((gateway) => gateway.start()));
    for (const gateway of gateways) gateway.heads.length = 0;
    // What failed in the test before is forgiven.
    await until(async () => new Set([(await ask('/')).body, (await ask('/')).body]).size === 2, {
      what: 'both gateways',
    });
    for (const gateway of gateways) gateway.heads.length = 0;
  });
  afterEach(() => Promise.all(gateways.map((gateway) => gateway.kill())));

  it('sends a request to the gateway that has the fewest connections, not to whose turn it is', async () => {
    const held = ask('/hold').catch(() => undefined);
    await until(async () => gateways.some(({ heads }) => heads.some(({ url }) => url === '/hold')), {
      what: 'the held request',
    });
    const free = gateways.find(({ heads }) => heads.length === 0);
    const answers: Answer[] = [];
    for (let turn = 0; turn < 6; turn += 1) answers.push(await ask('/'));
    expect(new Set(answers.map(({ body }) => body))).toEqual(new Set([free?.name]));
    await Promise.all(gateways.map((gateway) => gateway.kill()));
    await held;
  });

  it('skips a gateway that has died without an error for anybody, and comes back to it', async () => {
    await gateways[0].kill();
    for (let turn = 0; turn < 20; turn += 1) {
      expect(await ask('/', { method: 'POST' }, '{"query":"{ viewer { id } }"}')).toEqual({
        status: 200,
        body: 'second',
      });
    }
    await gateways[0].start();
    await until(async () => (await ask('/')).body === 'first', { what: 'the first gateway again' });
  });

  it('never sends a change again that a gateway may have made', async () => {
    expect(await ask('/break', { method: 'POST' }, '{"query":"mutation { x }"}')).toMatchObject({ status: 502 });
    expect(gateways.flatMap(({ heads }) => heads)).toHaveLength(1);
  });

  it('carries WebSockets', async () => {
    const socket = new WebSocket(`wss://127.0.0.1:${ports.tls}/graphql`, { rejectUnauthorized: false });
    const answer = await new Promise((resolve, reject) => {
      socket
        .on('open', () => socket.send('hello'))
        .on('message', (data: Buffer) => resolve(data.toString()))
        .on('error', reject);
    });
    socket.terminate();
    expect(answer).toMatch(/^(first|second): hello$/);
  });

  it('holds no event of a stream back', async () => {
    const first = await new Promise((resolve, reject) => {
      const sent = requestTls({ ...toProxy(), path: '/events' }, (response) =>
        response.once('data', (data) => {
          resolve(String(data));
          sent.destroy();
        }),
      );
      sent.on('error', reject).end();
    });
    expect(first).toContain('event: next');
  });

  it("tells the gateway the caller's address and what it used, in the place of what a client says of itself", async () => {
    const headers = {
      'x-forwarded-for': '1.2.3.4',
      'x-forwarded-proto': 'http',
      'x-real-ip': '1.2.3.4',
      'x-request-id': 'mine',
      host: 'sluice.example.com',
    };
    await ask('/', { headers });
    expect(gateways.flatMap(({ heads }) => heads)[0]?.headers).toMatchObject({
      ...{ host: 'sluice.example.com', 'x-request-id': 'mine', 'x-forwarded-for': '127.0.0.1' },
      ...{ 'x-real-ip': '127.0.0.1', 'x-forwarded-proto': 'https' },
    });
  });

  it('takes a body as large as a gateway does, and none that is larger', async () => {
    const megabyte = 1_048_576;
    expect(await ask('/', { method: 'POST' }, 'x'.repeat(megabyte))).toMatchObject({ status: 200 });
    expect(await ask('/', { method: 'POST' }, 'x'.repeat(megabyte + 1))).toMatchObject({ status: 413 });
  });

  it('sends who comes without TLS to the same place with it', async () => {
    const location = await new Promise((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port: ports.plain,
        path: '/graphql?a=1',
        headers: { host: 'sluice.example.com' },
      };
      request(options, (response) => resolve([response.statusCode, response.headers.location]))
        .on('error', reject)
        .end();
    });
    expect(location).toEqual([308, 'https://sluice.example.com/graphql?a=1']);
  });
});
