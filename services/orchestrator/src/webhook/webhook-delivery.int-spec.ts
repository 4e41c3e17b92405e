import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '#libs/testing';
import { newPrincipal } from '../../test/orchestrator-harness.js';
import { WebhookReceiver } from '../../test/webhook-receiver.js';
import { WebhookSuite } from '../../test/webhook-suite.js';
import { WebhookDeliveryRepository } from './webhook-delivery.repository.js';

let suite: WebhookSuite;

beforeAll(async () => {
  suite = await WebhookSuite.open();
});
afterAll(() => suite.close());
beforeEach(() => suite.begin());
afterEach(() => suite.end());

describe('a receiver that fails', () => {
  it('gets the same id and bytes at each attempt, later each time, until it takes them or they were sent often enough', async () => {
    await suite.start({ attemptsMax: 3 });
    const { webhook } = await suite.make();
    suite.receiver.answer = (response) => void response.writeHead(500).end('an answer that is not kept');
    await suite.finished();
    await suite.look();
    const [waiting] = await suite.logOf(webhook.id);
    expect(waiting?.nextAttemptAt?.getTime()).toBeGreaterThan(waiting?.createdAt?.getTime() ?? Infinity);
    for (let turn = 0; turn < 4; turn += 1) {
      await suite.dueNow();
      await suite.look();
    }
    expect(suite.receiver.received).toHaveLength(3);
    expect(
      new Set(suite.receiver.received.map(({ headers, body }) => JSON.stringify([headers['webhook-id'], body]))).size,
    ).toBe(1);
    const [failed] = await suite.logOf(webhook.id);
    expect(failed).toMatchObject({ state: 'FAILED', attemptCount: 3 });
    expect(failed?.attempts).toHaveLength(3);
    expect(failed?.attempts[0]).toMatchObject({ status: 500, failure: 'It answered 500.' });
    expect(JSON.stringify(failed)).not.toContain('not kept');
  });

  it('is sent a delivery again by hand, with its id, also one that it has taken', async () => {
    await suite.start({ attemptsMax: 1 });
    const { webhook } = await suite.make();
    suite.receiver.answer = (response) => void response.writeHead(500).end();
    await suite.finished();
    await suite.look();
    const [failed] = await suite.logOf(webhook.id);
    suite.receiver.answer = (response) => void response.writeHead(200).end();
    for (let turn = 0; turn < 2; turn += 1) {
      await suite.webhooks.management.redeliver(failed?.id ?? '', suite.principal);
      await suite.look();
    }
    expect(suite.receiver.received.map(({ headers }) => headers['webhook-id'])).toEqual(Array(3).fill(failed?.id));
    expect(await suite.logOf(webhook.id)).toMatchObject([
      { state: 'DELIVERED', attempts: [{ status: 500 }, { status: 200 }, {}] },
    ]);
    await expect(suite.webhooks.management.redeliver(failed?.id ?? '', newPrincipal())).rejects.toMatchObject({
      code: 'webhook.not_found',
      path: ['deliveryId'],
    });
  });

  it('is told by its log what came of what was sent again, whatever comes of an attempt before it', async () => {
    await suite.start({ attemptsMax: 1, timeoutMs: 10_000 });
    const { webhook } = await suite.make();
    const open: ServerResponse[] = [];
    suite.receiver.answer = (response) => void open.push(response);
    await suite.finished();
    await suite.webhooks.sending.look();
    await until(() => open.length === 1);
    const [delivery] = await suite.logOf(webhook.id);
    await suite.webhooks.management.redeliver(delivery?.id ?? '', suite.principal);
    await suite.webhooks.sending.look();
    await until(() => open.length === 2);
    open[0]?.writeHead(500).end();
    await until(() => suite.receiver.openNow === 1);
    open[1]?.writeHead(204).end();
    await suite.webhooks.sending.settle();
    expect(await suite.logOf(webhook.id)).toMatchObject([{ state: 'DELIVERED', attempts: [{ status: 204 }] }]);
  });

  it('has nothing to answer for that another did at an address before it', async () => {
    await suite.start({ giveUpSeconds: 3_600, timeoutMs: 10_000 });
    const { webhook } = await suite.make();
    const state = async () => (await suite.webhooks.management.get([webhook.id], suite.principal))[0];
    suite.receiver.answer = (response) => void response.writeHead(500).end();
    await suite.finished();
    await suite.look();
    expect((await state())?.failingSince).toBeDefined();
    const open: ServerResponse[] = [];
    suite.receiver.answer = (response) => void open.push(response);
    await suite.dueNow();
    await suite.webhooks.sending.look();
    await until(() => open.length === 1);
    const url = `${suite.receiver.url}/other`;
    await suite.webhooks.management.update({ id: webhook.id, version: 1, url, cleared: [] }, suite.principal);
    open[0]?.writeHead(410).end();
    await suite.webhooks.sending.settle();
    expect(await state()).toMatchObject({ state: 'ENABLED', failingSince: undefined });
  });

  it('is waited for as long as it asks, and no longer than half a day', async () => {
    const { webhook } = await suite.make();
    suite.receiver.answer = (response) => void response.writeHead(429, { 'retry-after': '600' }).end();
    await suite.finished();
    await suite.look();
    const [delivery] = await suite.logOf(webhook.id);
    const waitMs = (delivery?.nextAttemptAt?.getTime() ?? 0) - (delivery?.createdAt?.getTime() ?? 0);
    expect(waitMs).toBeGreaterThan(590_000);
    expect(waitMs).toBeLessThan(620_000);
  });

  it('that never answers, or drips its answer for ever, is cut off in time', async () => {
    const { webhook } = await suite.make();
    suite.receiver.answer = () => undefined;
    await suite.finished();
    await suite.look();
    expect(await suite.logOf(webhook.id)).toMatchObject([{ attempts: [{ failure: 'It did not answer in time.' }] }]);
    suite.receiver.answer = (response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'.repeat(1_000)), 10);
      response.on('close', () => clearInterval(timer));
    };
    await suite.dueNow();
    await suite.look();
    expect(await suite.logOf(webhook.id)).toMatchObject([{ state: 'DELIVERED' }]);
    await until(() => suite.receiver.openNow === 0);
  });

  it('gets one at a time while it fails and a bounded number at once when it does not, and makes the log grow no further', async () => {
    await suite.start({ pendingMax: 6, receiverInFlightMax: 2 });
    const { webhook } = await suite.make();
    suite.receiver.answer = (response) => void response.writeHead(500).end();
    const ids: string[] = [];
    for (let count = 0; count < 10; count += 1) ids.push(await suite.finished());
    await suite.look();
    suite.receiver.openMax = 0;
    await suite.dueNow();
    await suite.look();
    expect(suite.receiver.openMax).toBe(1);
    expect((await suite.webhooks.management.get([webhook.id], suite.principal))[0]).toMatchObject({ pendingCount: 10 });
    for (let count = 0; count < 5; count += 1) ids.push(await suite.finished());
    await suite.look(3);
    expect(await suite.logOf(webhook.id)).toHaveLength(10);
    suite.receiver.received.length = 0;
    suite.receiver.openMax = 0;
    suite.receiver.answer = (response) => void setTimeout(() => response.writeHead(204).end(), 20);
    for (let turn = 0; turn < 20; turn += 1) {
      await suite.dueNow();
      await suite.look();
    }
    expect(new Set(suite.told())).toEqual(new Set(ids));
    expect(suite.receiver.openMax).toBe(2);
  });

  it('is given up after long failure or at once when it says 410, and told only of what ends after it is enabled again', async () => {
    const { webhook } = await suite.make();
    suite.receiver.answer = (response) => void response.writeHead(410).end();
    await suite.finished();
    await suite.look();
    const [given] = await suite.webhooks.management.get([webhook.id], suite.principal);
    expect(given).toMatchObject({ state: 'GIVEN_UP', version: 2 });
    await suite.finished();
    await suite.look();
    expect(suite.receiver.received).toHaveLength(1);
    await suite.webhooks.management.update({ id: webhook.id, version: 2, enabled: true, cleared: [] }, suite.principal);
    suite.receiver.answer = (response) => void response.writeHead(204).end();
    suite.receiver.received.length = 0;
    const id = await suite.finished();
    await suite.look();
    expect(suite.told()).toEqual([id]);

    await suite.start({ giveUpSeconds: 0.2 });
    const other = await suite.make();
    suite.receiver.answer = (response) => void response.writeHead(500).end();
    await suite.finished();
    await until(async () => {
      await suite.dueNow();
      await suite.look();
      return (await suite.webhooks.management.get([other.webhook.id], suite.principal))[0]?.state === 'GIVEN_UP';
    });
  });

  it('does not keep others waiting', async () => {
    await suite.start({ inFlightMax: 3, timeoutMs: 400 });
    const dead = await WebhookReceiver.start();
    dead.answer = () => undefined;
    for (let count = 0; count < 5; count += 1) await suite.make({}, dead.url);
    await suite.finished();
    // All of them fail once.
    await suite.look(2);
    await suite.make();
    const id = await suite.finished();
    await suite.dueNow();
    await suite.webhooks.sending.look();
    await until(() => suite.told().includes(id), { timeoutMs: 300 });
    await suite.webhooks.sending.settle();
    await dead.stop();
  });
});

describe('several orchestrators', () => {
  it('share the deliveries, each sent once, and what one took and never wrote down is sent by another', async () => {
    const patient = { timeoutMs: 10_000, receiverInFlightMax: 2 };
    await suite.start(patient);
    const { webhook } = await suite.make();
    const others = [suite.newOrchestrator(patient), suite.newOrchestrator(patient)];
    const senders = [suite.webhooks, ...others.map((other) => other.webhooks())].map(({ sending }) => sending);
    const ids: string[] = [];
    for (let count = 0; count < 12; count += 1) ids.push(await suite.finished());
    suite.receiver.answer = (response) => void setTimeout(() => response.writeHead(204).end(), 5);
    await until(async () => {
      await Promise.all(senders.map((sending) => sending.look()));
      await Promise.all(senders.map((sending) => sending.settle()));
      return (await suite.logOf(webhook.id)).every(({ state }) => state === 'DELIVERED');
    });
    expect(suite.told().toSorted()).toEqual(ids.toSorted());
    expect(suite.receiver.openMax).toBeLessThanOrEqual(2);

    // As one who has died with a delivery in his hands.
    await suite.dataSource.query(
      `update orchestrator.webhook_delivery set state = 'PENDING', due_at = now() + interval '1 h', leased_until = now() + interval '1 h'`,
    );
    suite.receiver.received.length = 0;
    await suite.look();
    expect(suite.receiver.received).toEqual([]);
    await suite.dueNow();
    await suite.look(ids.length);
    expect(suite.told().toSorted()).toEqual(ids.toSorted());
    expect((await suite.logOf(webhook.id)).every(({ state }) => state === 'DELIVERED')).toBe(true);
  });

  it('that take at the same moment never take the same delivery, nor more of a receiver than is allowed', async () => {
    const { webhook } = await suite.make();
    const repository = new WebhookDeliveryRepository(suite.dataSource);
    const count = 300;
    await suite.dataSource.query(
      `insert into orchestrator.webhook_delivery (id, webhook_id, execution_id, event_type, payload)
       select 'whd_' || n, $1, 'exe_' || n, 'execution.finished', '{}' from generate_series(1, $2::integer) n`,
      [webhook.id, count],
    );
    const taken: string[] = [];
    let open = 0;
    let openMax = 0;
    const take = async (): Promise<void> => {
      while (taken.length < count) {
        const claimed = await repository.claim({ limit: 64, receiverInFlightMax: 4, leaseSeconds: 60 });
        open += claimed.length;
        openMax = Math.max(openMax, open);
        for (const delivery of claimed) {
          taken.push(delivery.id);
          open -= 1;
          await repository.record(delivery, { at: new Date().toISOString(), durationMs: 1 }, { state: 'DELIVERED' });
        }
      }
    };
    await Promise.all(Array.from({ length: 6 }, take));
    expect(taken).toHaveLength(count);
    expect(new Set(taken).size).toBe(count);
    expect(openMax).toBeLessThanOrEqual(4);
  });

  it('delete what is too old, also of a webhook that is gone, which sends no more', async () => {
    const { webhook } = await suite.make();
    await suite.finished();
    await suite.webhooks.sending.look();
    await suite.webhooks.management.delete(webhook.id, suite.principal);
    await suite.webhooks.sending.settle();
    await suite.finished();
    await suite.look();
    expect(suite.receiver.received.length).toBeLessThanOrEqual(1);
    await suite.dataSource.query(`update orchestrator.webhook_delivery set created_at = now() - interval '15 days'`);
    await suite.orchestrator.history.purge();
    expect(await suite.dataSource.query('select 1 from orchestrator.webhook_delivery')).toEqual([]);
  });
});
