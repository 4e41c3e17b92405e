import { randomBytes } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { authRequests, type SourceConnection, type webhookRequests, type RequestOf } from '#libs/contracts';
import { MasterKeys, newDataKey, openText } from '#libs/encryption';
import type { Principal } from '#libs/identity';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import { openDatabase } from '../../test/data-source.js';
import {
  answerAround,
  newPrincipal,
  newSource,
  startOrchestrator,
  submitSql,
  TestWorker,
  type Orchestrator,
} from '../../test/orchestrator-harness.js';
import { clear } from '../../test/orchestrator-suite.js';
import { WebhookReceiver } from '../../test/webhook-receiver.js';

const masks = { masterKeys: `k1:${randomBytes(32).toString('base64')}` };
const masterKeys = MasterKeys.parse(masks.masterKeys);
const quick = { allowedNetworks: ['127.0.0.0/8'], retryInitialMs: 1, timeoutMs: 500 };

let server: PostgresServer;
let dataSource: DataSource;
let orchestrator: Orchestrator;
let webhooks: ReturnType<Orchestrator['webhooks']>;
let receiver: WebhookReceiver;
let principal: Principal;
let source: SourceConnection;
let worker: TestWorker;
let texts = 0;

beforeAll(async () => {
  server = await startPostgres();
  dataSource = await openDatabase(await server.createDatabase());
});
afterAll(async () => {
  await dataSource.destroy();
  await server.stop();
});
beforeEach(async () => {
  await clear(dataSource);
  receiver = await WebhookReceiver.start();
  await start();
});
afterEach(() => receiver.stop());

async function start(settings: Record<string, unknown> = {}): Promise<void> {
  orchestrator = startOrchestrator(dataSource, { masks, webhooks: { ...quick, ...settings } });
  webhooks = orchestrator.webhooks();
  principal = newPrincipal();
  source = newSource(principal.workspaceId);
  answerAround(orchestrator.bus, source);
  orchestrator.bus.answer(authRequests.getDataKey, ({ workspaceId }) => newDataKey(masterKeys, workspaceId));
  worker = new TestWorker(orchestrator);
  await worker.announce(100);
}

type Filter = RequestOf<typeof webhookRequests.createWebhook>['filter'];

async function make(filter: Partial<NonNullable<Filter>> = {}, url = receiver.url, who = principal) {
  const whole = { states: [], savedQueryIds: [], dataSourceIds: [], ...filter };
  const { webhook, secret } = await webhooks.management.create({ name: 'w', url, enabled: true, filter: whole }, who);
  if (!webhook) throw new Error('no webhook was made');
  return { webhook, secret };
}

const begin = async (who = principal) => {
  const execution = await submitSql(orchestrator, who, source, `select ${(texts += 1)}`);
  await until(() => worker.claim({ runId: execution.runId, fence: 1 }));
  return execution;
};

async function finished(): Promise<string> {
  const { id, runId } = await begin();
  await worker.succeed({ runId, fence: 1 });
  return id;
}

/** Looks until there is nothing more to do now. */
async function look(times = 1): Promise<void> {
  for (let turn = 0; turn < times; turn += 1) {
    await webhooks.sending.look();
    await webhooks.sending.settle();
  }
}

const told = (): string[] =>
  receiver.received.map(({ body }) => (JSON.parse(body) as { data: { executionId: string } }).data.executionId);

const logOf = async (webhookId: string) =>
  (await webhooks.management.listDeliveries({ webhookId, states: [], page: { first: 100 } }, principal)).deliveries;

const dueNow = () => dataSource.query('update orchestrator.webhook_delivery set due_at = now(), leased_until = null');

describe('a webhook', () => {
  it('tells of each end once, signed so that the library of Standard Webhooks takes it, and never of rows or SQL', async () => {
    const { webhook, secret } = await make();
    const ids = [await finished(), await finished()];
    await look(3);
    expect(told().toSorted()).toEqual(ids.toSorted());
    for (const { headers, body } of receiver.received) {
      const proof = headers as Record<string, string>;
      expect(new Webhook(secret).verify(body, proof)).toMatchObject({
        type: 'execution.finished',
        data: { state: 'SUCCEEDED', rowCount: 3, byteCount: 30, dataSourceId: source.id, error: null },
      });
      expect(() => new Webhook(secret).verify(body.replace('SUCCEEDED', 'FAILED'), proof)).toThrow();
      expect(body).not.toMatch(/select|sql|message/i);
    }
    const log = await logOf(webhook.id);
    expect(log.map(({ id }) => id).toSorted()).toEqual(
      receiver.received.map(({ headers }) => headers['webhook-id']).toSorted(),
    );
    expect(log).toMatchObject([
      { state: 'DELIVERED', attemptCount: 1, attempts: [{ status: 204 }] },
      { state: 'DELIVERED', attemptCount: 1, attempts: [{ status: 204 }] },
    ]);
  });

  it('tells nothing of before it was made, of another workspace, of what a kept result answered, of what its filter leaves out', async () => {
    await finished();
    await make({ states: ['FAILED'] });
    await make({ savedQueryIds: ['qry_00000000000000000000000000'] });
    await make({}, receiver.url, newPrincipal());
    const { webhook } = await make({ dataSourceIds: [source.id], states: ['SUCCEEDED', 'CANCELED'] });
    const text = `select ${(texts += 1)}`;
    const first = await submitSql(orchestrator, principal, source, text);
    await worker.claim({ runId: first.runId, fence: 1 });
    await worker.succeed({ runId: first.runId, fence: 1 });
    const hit = await submitSql(orchestrator, principal, source, text);
    expect(hit.cacheStatus).toBe('HIT');
    await look(2);
    expect(told()).toEqual([first.id]);
    expect(await logOf(webhook.id)).toHaveLength(1);
  });

  it('tells those apart who left a shared run and who stayed', async () => {
    await make();
    const text = `select ${(texts += 1)}`;
    const stays = await submitSql(orchestrator, principal, source, text);
    const leaves = await submitSql(orchestrator, principal, source, text);
    await worker.claim({ runId: stays.runId, fence: 1 });
    await orchestrator.cancels.cancel(leaves.id, principal);
    await look();
    expect(told()).toEqual([leaves.id]);
    await worker.succeed({ runId: stays.runId, fence: 1 });
    await look();
    expect(told()).toEqual([leaves.id, stays.id]);
    expect(receiver.received.map(({ body }) => JSON.parse(body).data.state)).toEqual(['CANCELED', 'SUCCEEDED']);
  });

  it('tells of a failure by its code alone', async () => {
    await make();
    const { runId } = await begin();
    const error = { code: 'run.query_failed', message: 'value "secret" is wrong', retryable: false };
    await orchestrator.finish({ runId, fence: 1, outcome: { case: 'failed', value: { error, transient: false } } });
    await look();
    const { data } = JSON.parse(receiver.received[0]?.body ?? '');
    expect(data).toMatchObject({ state: 'FAILED', rowCount: null, error: { code: 'QUERY_FAILED', retryable: false } });
    expect(JSON.stringify(data)).not.toContain('secret');
  });

  it('keeps its secret as ciphertext that is worth nothing in another row, and signs with both for a day after a rotation', async () => {
    const { webhook, secret } = await make();
    const [row] = await dataSource.query('select * from orchestrator.webhook');
    expect(JSON.stringify(row)).not.toContain(secret);
    expect(openText(row.secret, masterKeys, `${principal.workspaceId}/${webhook.id}`)).toBe(secret);
    expect(() => openText(row.secret, masterKeys, `${principal.workspaceId}/whk_other`)).toThrow();
    const rotated = await webhooks.management.rotateSecret(webhook.id, principal);
    await finished();
    await look();
    const [first] = receiver.received;
    for (const good of [secret, rotated.secret]) {
      new Webhook(good).verify(first?.body ?? '', first?.headers as Record<string, string>);
    }
    await dataSource.query(`update orchestrator.webhook set old_secret_until = now()`);
    await finished();
    await look();
    const second = receiver.received[1];
    expect(() => new Webhook(secret).verify(second?.body ?? '', second?.headers as Record<string, string>)).toThrow();
  });
});

describe('a receiver that fails', () => {
  it('gets the same id and bytes at each attempt, later each time, until it takes them or they were sent often enough', async () => {
    await start({ attemptsMax: 3 });
    const { webhook } = await make();
    receiver.answer = (response) => void response.writeHead(500).end('an answer that is not kept');
    await finished();
    await look();
    const [waiting] = await logOf(webhook.id);
    expect(waiting?.nextAttemptAt?.getTime()).toBeGreaterThan(waiting?.createdAt?.getTime() ?? Infinity);
    for (let turn = 0; turn < 4; turn += 1) {
      await dueNow();
      await look();
    }
    expect(receiver.received).toHaveLength(3);
    expect(
      new Set(receiver.received.map(({ headers, body }) => JSON.stringify([headers['webhook-id'], body]))).size,
    ).toBe(1);
    const [failed] = await logOf(webhook.id);
    expect(failed).toMatchObject({ state: 'FAILED', attemptCount: 3 });
    expect(failed?.attempts).toHaveLength(3);
    expect(failed?.attempts[0]).toMatchObject({ status: 500, failure: 'It answered 500.' });
    expect(JSON.stringify(failed)).not.toContain('not kept');
  });

  it('is sent a delivery again by hand, with its id, also one that it has taken', async () => {
    await start({ attemptsMax: 1 });
    const { webhook } = await make();
    receiver.answer = (response) => void response.writeHead(500).end();
    await finished();
    await look();
    const [failed] = await logOf(webhook.id);
    receiver.answer = (response) => void response.writeHead(200).end();
    for (let turn = 0; turn < 2; turn += 1) {
      await webhooks.management.redeliver(failed?.id ?? '', principal);
      await look();
    }
    expect(receiver.received.map(({ headers }) => headers['webhook-id'])).toEqual(Array(3).fill(failed?.id));
    expect(await logOf(webhook.id)).toMatchObject([
      { state: 'DELIVERED', attempts: [{ status: 500 }, { status: 200 }, {}] },
    ]);
    await expect(webhooks.management.redeliver(failed?.id ?? '', newPrincipal())).rejects.toMatchObject({
      code: 'webhook.not_found',
    });
  });

  it('is waited for as long as it asks, and no longer than half a day', async () => {
    const { webhook } = await make();
    receiver.answer = (response) => void response.writeHead(429, { 'retry-after': '600' }).end();
    await finished();
    await look();
    const [delivery] = await logOf(webhook.id);
    const waitMs = (delivery?.nextAttemptAt?.getTime() ?? 0) - (delivery?.createdAt?.getTime() ?? 0);
    expect(waitMs).toBeGreaterThan(590_000);
    expect(waitMs).toBeLessThan(620_000);
  });

  it('that never answers, or drips its answer for ever, is cut off in time', async () => {
    const { webhook } = await make();
    receiver.answer = () => undefined;
    await finished();
    await look();
    expect(await logOf(webhook.id)).toMatchObject([{ attempts: [{ failure: 'It did not answer in time.' }] }]);
    receiver.answer = (response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'.repeat(1_000)), 10);
      response.on('close', () => clearInterval(timer));
    };
    await dueNow();
    await look();
    expect(await logOf(webhook.id)).toMatchObject([{ state: 'DELIVERED' }]);
    await until(() => receiver.openNow === 0);
  });

  it('gets one at a time while it fails and a bounded number at once when it does not, and makes the log grow no further', async () => {
    await start({ pendingMax: 6, receiverInFlightMax: 2 });
    const { webhook } = await make();
    receiver.answer = (response) => void response.writeHead(500).end();
    const ids: string[] = [];
    for (let count = 0; count < 10; count += 1) ids.push(await finished());
    await look();
    receiver.openMax = 0;
    await dueNow();
    await look();
    expect(receiver.openMax).toBe(1);
    expect((await webhooks.management.get([webhook.id], principal))[0]).toMatchObject({ pendingCount: 10 });
    for (let count = 0; count < 5; count += 1) ids.push(await finished());
    await look(3);
    expect(await logOf(webhook.id)).toHaveLength(10);
    receiver.received.length = 0;
    receiver.openMax = 0;
    receiver.answer = (response) => void setTimeout(() => response.writeHead(204).end(), 20);
    for (let turn = 0; turn < 20; turn += 1) {
      await dueNow();
      await look();
    }
    expect(new Set(told())).toEqual(new Set(ids));
    expect(receiver.openMax).toBe(2);
  });

  it('is given up after long failure or at once when it says 410, and told only of what ends after it is enabled again', async () => {
    const { webhook } = await make();
    receiver.answer = (response) => void response.writeHead(410).end();
    await finished();
    await look();
    const [given] = await webhooks.management.get([webhook.id], principal);
    expect(given).toMatchObject({ state: 'GIVEN_UP', version: 2 });
    await finished();
    await look();
    expect(receiver.received).toHaveLength(1);
    await webhooks.management.update({ id: webhook.id, version: 2, enabled: true, cleared: [] }, principal);
    receiver.answer = (response) => void response.writeHead(204).end();
    receiver.received.length = 0;
    const id = await finished();
    await look();
    expect(told()).toEqual([id]);

    await start({ giveUpSeconds: 0.2 });
    const other = await make();
    receiver.answer = (response) => void response.writeHead(500).end();
    await finished();
    await until(async () => {
      await dueNow();
      await look();
      return (await webhooks.management.get([other.webhook.id], principal))[0]?.state === 'GIVEN_UP';
    });
  });

  it('does not keep others waiting', async () => {
    await start({ inFlightMax: 3, timeoutMs: 400 });
    const dead = await WebhookReceiver.start();
    dead.answer = () => undefined;
    for (let count = 0; count < 5; count += 1) await make({}, dead.url);
    await finished();
    // All of them fail once.
    await look(2);
    await make();
    const id = await finished();
    await dueNow();
    await webhooks.sending.look();
    await until(() => told().includes(id), { timeoutMs: 300 });
    await webhooks.sending.settle();
    await dead.stop();
  });
});

describe('several orchestrators', () => {
  it('share the deliveries, each sent once, and what one took and never wrote down is sent by another', async () => {
    const { webhook } = await make();
    const others = [startOrchestrator(dataSource, { masks, webhooks: quick }).webhooks().sending];
    others.push(startOrchestrator(dataSource, { masks, webhooks: quick }).webhooks().sending);
    const ids: string[] = [];
    for (let count = 0; count < 12; count += 1) ids.push(await finished());
    for (let turn = 0; turn < 8; turn += 1) {
      await Promise.all([webhooks.sending, ...others].map((sending) => sending.look()));
      await Promise.all([webhooks.sending, ...others].map((sending) => sending.settle()));
    }
    expect(told().toSorted()).toEqual(ids.toSorted());

    // As one who has died with a delivery in his hands.
    await dataSource.query(
      `update orchestrator.webhook_delivery set state = 'PENDING', due_at = now() + interval '1 s', leased_until = now() + interval '1 s'`,
    );
    receiver.received.length = 0;
    await look();
    expect(receiver.received).toEqual([]);
    await dueNow();
    await look(3);
    expect(told().toSorted()).toEqual(ids.toSorted());
    expect((await logOf(webhook.id)).every(({ state }) => state === 'DELIVERED')).toBe(true);
  });

  it('delete what is too old, also of a webhook that is gone, which sends no more', async () => {
    const { webhook } = await make();
    await finished();
    await webhooks.sending.look();
    await webhooks.management.delete(webhook.id, principal);
    await webhooks.sending.settle();
    await finished();
    await look();
    expect(receiver.received.length).toBeLessThanOrEqual(1);
    await dataSource.query(`update orchestrator.webhook_delivery set created_at = now() - interval '15 days'`);
    await orchestrator.history.purge();
    expect(await dataSource.query('select 1 from orchestrator.webhook_delivery')).toEqual([]);
  });
});

describe('what is asked of a webhook', () => {
  it.each([
    ['no address', 'receiver'],
    ['another protocol', 'ftp://example.com/'],
    ['a file', 'file:///etc/passwd'],
    ['a user and a password', 'https://user:pass@example.com/'],
    ['a fragment', 'https://example.com/#a'],
    ['an address inside', 'https://10.0.0.1/'],
    ['the metadata of a cloud', 'http://169.254.169.254/latest/meta-data'],
    ['an address in another way of writing', 'https://0x0a.1/'],
    ['an address of IPv6 that stands for one inside', 'https://[::ffff:10.0.0.1]/'],
  ])('is refused with %s, at url', async (_what, url) => {
    await expect(make({}, url)).rejects.toMatchObject({ code: 'input.invalid', path: ['url'] });
  });

  it('is refused for what is of another workspace, and for a version that is not the present one', async () => {
    const { webhook } = await make();
    const stranger = newPrincipal();
    expect(await webhooks.management.get([webhook.id], stranger)).toEqual([]);
    const change = { id: webhook.id, version: 1, name: 'x', cleared: [] };
    await expect(webhooks.management.update(change, stranger)).rejects.toMatchObject({ code: 'webhook.not_found' });
    await expect(webhooks.management.delete(webhook.id, stranger)).rejects.toMatchObject({ code: 'webhook.not_found' });
    await expect(webhooks.management.rotateSecret(webhook.id, stranger)).rejects.toMatchObject({
      code: 'webhook.not_found',
    });
    await expect(webhooks.management.update({ ...change, version: 7 }, principal)).rejects.toMatchObject({
      code: 'entity.conflict',
    });
    expect(await webhooks.management.update({ ...change, cleared: ['states'] }, principal)).toMatchObject({
      name: 'x',
      version: 2,
    });
  });

  it('is bounded: a workspace has at most 50', async () => {
    for (let count = 0; count < 50; count += 1) await make();
    await expect(make()).rejects.toMatchObject({ code: 'input.too_large' });
  });
});
