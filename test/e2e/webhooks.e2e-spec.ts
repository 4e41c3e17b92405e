import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#libs/testing';
import { freePorts } from '../../deploy/local/free-port.ts';
import type { ApiClient } from '../support/api-client.js';
import { run, runToEnd } from '../support/executions.js';
import { newPerson } from '../support/people.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { RunningMesh } from '../support/running-mesh.js';
import { unique } from '../support/slow-queries.js';
import { TestMesh } from '../support/test-mesh.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const guide = readFileSync(join(root, 'docs/webhooks.md'), 'utf8');
const [createDocument = ''] = fencedBlocks(guide, 'graphql example');
const [receiverCode = ''] = fencedBlocks(guide, 'js example');

interface Received {
  readonly id: string;
  readonly executionId: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

// Of its own, as its orchestrator is killed.
let started: TestMesh;
let mesh: RunningMesh;
let server: Server;
let url = '';
const received: Received[] = [];
/** How long the receiver takes; it goes on receiving while it answers. */
let answerAfterMs = 0;

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const headers = request.headers as Record<string, string>;
      const { data } = JSON.parse(body) as { data: { executionId: string } };
      received.push({ id: headers['webhook-id'] ?? '', executionId: data.executionId, headers, body });
      setTimeout(() => response.writeHead(204).end(), answerAfterMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  started = await TestMesh.start();
  mesh = new RunningMesh(started.accessData);
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await mesh.close();
  await started.stop();
});

interface SecretPayload {
  readonly createWebhook: {
    readonly webhook: { readonly id: string; readonly version: number } | null;
    readonly secret: string | null;
    readonly errors: readonly { readonly code: string; readonly path: readonly string[] }[];
  };
}

async function create(target: string, client: ApiClient = mesh.admin): Promise<{ id: string; secret: string }> {
  const { createWebhook } = await client.request<SecretPayload>(createDocument, { url: target });
  if (!createWebhook.webhook || createWebhook.secret === null) throw new Error(JSON.stringify(createWebhook.errors));
  return { id: createWebhook.webhook.id, secret: createWebhook.secret };
}

const remove = (id: string): Promise<unknown> =>
  mesh.admin.request('mutation ($id: ID!) { deleteWebhook(id: $id) { deletedId errors { code } } }', { id });

const logDocument = `query ($id: ID!) { webhookDeliveries(webhookId: $id, first: 100) { nodes {
  id state executionId attemptCount nextAttemptAt payload attempts { status failure } execution { state } webhook { id } } } }`;

interface Delivery {
  readonly id: string;
  readonly state: string;
  readonly executionId: string;
  readonly attemptCount: number;
}

async function logOf(id: string): Promise<Delivery[]> {
  return (await mesh.admin.request<{ webhookDeliveries: { nodes: Delivery[] } }>(logDocument, { id })).webhookDeliveries
    .nodes;
}

const ask = async (): Promise<string> => {
  const { id: sourceId } = await mesh.source('flights');
  return (await runToEnd(mesh.admin, sourceId, unique('select 1'))).id;
};

describe('A webhook', () => {
  test('is made as the guide says, tells what the log shows, and is sent again by hand', async () => {
    const { id, secret } = await create(url);
    const executionId = await ask();
    const first = await until(() => received.find((one) => one.executionId === executionId));
    new Webhook(secret).verify(first.body, first.headers);
    const [delivery] = await until(async () => {
      const log = await logOf(id);
      return log[0]?.state === 'DELIVERED' && log;
    });
    expect(delivery).toMatchObject({
      ...{ id: first.id, executionId, attemptCount: 1, nextAttemptAt: null, payload: JSON.parse(first.body) },
      ...{ attempts: [{ status: 204, failure: null }], execution: { state: 'SUCCEEDED' }, webhook: { id } },
    });
    await mesh.admin.request(
      'mutation ($id: ID!) { redeliverWebhook(deliveryId: $id) { delivery { state } errors { code } } }',
      {
        id: first.id,
      },
    );
    await until(() => received.filter((one) => one.id === first.id).length === 2);
    await remove(id);
    expect(await mesh.admin.request('query ($id: ID!) { node(id: $id) { id } }', { id })).toEqual({ node: null });
  });

  test('is changed at its version, and a conflict carries it as it is', async () => {
    const { id } = await create(url);
    const update = `mutation ($input: UpdateWebhookInput!) { updateWebhook(input: $input) {
      webhook { name version state states savedQueryIds } errors { code path } } }`;
    const changed = await mesh.admin.request(update, { input: { id, version: 1, enabled: false, states: null } });
    expect(changed).toEqual({
      updateWebhook: {
        ...{
          webhook: { name: 'nightly load', version: 2, state: 'DISABLED', states: [], savedQueryIds: [] },
          errors: [],
        },
      },
    });
    expect(await mesh.admin.request(update, { input: { id, version: 1, name: 'x' } })).toMatchObject({
      updateWebhook: { webhook: { version: 2 }, errors: [{ code: 'CONFLICT', path: ['version'] }] },
    });
    await remove(id);
  });

  test('is refused at its url where that leads inside, and to those who may not manage webhooks', async () => {
    const { createWebhook } = await mesh.admin.request<SecretPayload>(createDocument, {
      url: 'https://169.254.169.254/',
    });
    expect(createWebhook).toMatchObject({ webhook: null, secret: null, errors: [{ code: 'INVALID_INPUT' }] });
    const editor = await newPerson(mesh.admin, 'editor');
    const refused = await editor.client.request<SecretPayload>(createDocument, { url });
    expect(refused.createWebhook.errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    const { errors } = await editor.client.send('{ webhooks(first: 1) { totalCount } }');
    expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
  });

  test('tells of all that has ended although its orchestrator is killed in the middle of sending', async () => {
    const { id } = await create(url);
    answerAfterMs = 2_000;
    const { id: sourceId } = await mesh.source('flights');
    const asked = await Promise.all(
      Array.from({ length: 20 }, () => run(mesh.admin, sourceId, unique('select 1'), { waitSeconds: 20 })),
    );
    const ids = new Set(asked.map((execution) => execution.id));
    const toldOf = (): Set<string> =>
      new Set(received.map(({ executionId }) => executionId).filter((one) => ids.has(one)));
    await until(() => toldOf().size >= 3);
    await started.mesh.child('orchestrator').kill();
    expect(toldOf().size).toBeLessThan(20);
    answerAfterMs = 0;
    started.mesh.child('orchestrator').start();
    await started.mesh.waitForService('orchestrator');
    await until(async () => (await logOf(id)).every(({ state }) => state === 'DELIVERED') && toldOf().size === 20, {
      timeoutMs: 40_000,
      what: 'the rest of the deliveries',
    });
    // What is told again has the id that it had.
    const pairs = new Set(
      received.filter(({ executionId }) => ids.has(executionId)).map((one) => `${one.executionId} ${one.id}`),
    );
    expect(pairs.size).toBe(20);
    expect(received.filter(({ executionId }) => ids.has(executionId)).length).toBeGreaterThan(20);
    await remove(id);
  });
});

describe('The receiver in docs/webhooks.md', () => {
  test('takes what Sluice sends, once each, and refuses what somebody else does', async () => {
    const [port = 0] = await freePorts(1);
    const target = `http://127.0.0.1:${port}/`;
    const { id, secret } = await create(target);
    const folder = mkdtempSync(join(tmpdir(), 'sluice-receiver-'));
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'receiver.mjs'), receiverCode);
    const child: ChildProcess = spawn(process.execPath, [join(folder, 'receiver.mjs')], {
      env: { ...process.env, WEBHOOK_SECRET: secret, PORT: String(port) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      let output = '';
      child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
      const executionId = await ask();
      await until(() => output.includes(`${executionId} SUCCEEDED`));
      const [delivery] = await logOf(id);
      await mesh.admin.request('mutation ($id: ID!) { redeliverWebhook(deliveryId: $id) { errors { code } } }', {
        id: delivery?.id,
      });
      await until(async () => (await logOf(id))[0]?.state === 'DELIVERED');
      const forged = await fetch(target, { method: 'POST', body: '{}', headers: { 'webhook-id': 'whd_1' } });
      expect(forged.status).toBe(401);
      expect(output.split(executionId)).toHaveLength(2);
    } finally {
      child.kill();
      rmSync(folder, { recursive: true });
      await remove(id);
    }
  });
});
