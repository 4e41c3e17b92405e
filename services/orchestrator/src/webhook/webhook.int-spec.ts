import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openText } from '#libs/encryption';
import { newPrincipal, submitSql } from '../../test/orchestrator-harness.js';
import { WebhookSuite } from '../../test/webhook-suite.js';

let suite: WebhookSuite;

beforeAll(async () => {
  suite = await WebhookSuite.open();
});
afterAll(() => suite.close());
beforeEach(() => suite.begin());
afterEach(() => suite.end());

describe('a webhook', () => {
  it('tells of each end once, signed so that the library of Standard Webhooks takes it, and never of rows or SQL', async () => {
    const { webhook, secret } = await suite.make();
    const ids = [await suite.finished(), await suite.finished()];
    await suite.look(3);
    expect(suite.told().toSorted()).toEqual(ids.toSorted());
    for (const { headers, body } of suite.receiver.received) {
      const proof = headers as Record<string, string>;
      expect(new Webhook(secret).verify(body, proof)).toMatchObject({
        type: 'execution.finished',
        data: { state: 'SUCCEEDED', rowCount: 3, byteCount: 30, dataSourceId: suite.source.id, error: null },
      });
      expect(() => new Webhook(secret).verify(body.replace('SUCCEEDED', 'FAILED'), proof)).toThrow();
      expect(body).not.toMatch(/select|sql|message/i);
    }
    const log = await suite.logOf(webhook.id);
    expect(log.map(({ id }) => id).toSorted()).toEqual(
      suite.receiver.received.map(({ headers }) => headers['webhook-id']).toSorted(),
    );
    expect(log).toMatchObject([
      { state: 'DELIVERED', attemptCount: 1, attempts: [{ status: 204 }] },
      { state: 'DELIVERED', attemptCount: 1, attempts: [{ status: 204 }] },
    ]);
  });

  it('tells nothing of before it was made, of another workspace, of what a kept result answered, of what its filter leaves out', async () => {
    await suite.finished();
    await suite.make({ states: ['FAILED'] });
    await suite.make({ savedQueryIds: ['qry_00000000000000000000000000'] });
    await suite.make({}, suite.receiver.url, newPrincipal());
    const { webhook } = await suite.make({ dataSourceIds: [suite.source.id], states: ['SUCCEEDED', 'CANCELED'] });
    const text = `select ${suite.nextNumber()}`;
    const first = await submitSql(suite.orchestrator, suite.principal, suite.source, text);
    await suite.worker.claim({ runId: first.runId, fence: 1 });
    await suite.worker.succeed({ runId: first.runId, fence: 1 });
    const hit = await submitSql(suite.orchestrator, suite.principal, suite.source, text);
    expect(hit.cacheStatus).toBe('HIT');
    await suite.look(2);
    expect(suite.told()).toEqual([first.id]);
    expect(await suite.logOf(webhook.id)).toHaveLength(1);
  });

  it('tells those apart who left a shared run and who stayed', async () => {
    await suite.make();
    const text = `select ${suite.nextNumber()}`;
    const stays = await submitSql(suite.orchestrator, suite.principal, suite.source, text);
    const leaves = await submitSql(suite.orchestrator, suite.principal, suite.source, text);
    await suite.worker.claim({ runId: stays.runId, fence: 1 });
    await suite.orchestrator.cancels.cancel(leaves.id, suite.principal);
    await suite.look();
    expect(suite.told()).toEqual([leaves.id]);
    await suite.worker.succeed({ runId: stays.runId, fence: 1 });
    await suite.look();
    expect(suite.told()).toEqual([leaves.id, stays.id]);
    expect(suite.receiver.received.map(({ body }) => JSON.parse(body).data.state)).toEqual(['CANCELED', 'SUCCEEDED']);
  });

  it('tells of a failure by its code alone', async () => {
    await suite.make();
    const { runId } = await suite.running();
    const error = { code: 'run.query_failed', message: 'value "secret" is wrong', retryable: false };
    await suite.orchestrator.finish({
      runId,
      fence: 1,
      outcome: { case: 'failed', value: { error, transient: false } },
    });
    await suite.look();
    const { data } = JSON.parse(suite.receiver.received[0]?.body ?? '');
    expect(data).toMatchObject({ state: 'FAILED', rowCount: null, error: { code: 'QUERY_FAILED', retryable: false } });
    expect(JSON.stringify(data)).not.toContain('secret');
  });

  it('keeps its secret as ciphertext that is worth nothing in another row, and signs with both for a day after a rotation', async () => {
    const { webhook, secret } = await suite.make();
    const [row] = await suite.dataSource.query('select * from orchestrator.webhook');
    expect(JSON.stringify(row)).not.toContain(secret);
    expect(openText(row.secret, suite.masterKeys, `${suite.principal.workspaceId}/${webhook.id}`)).toBe(secret);
    expect(() => openText(row.secret, suite.masterKeys, `${suite.principal.workspaceId}/whk_other`)).toThrow();
    const rotated = await suite.webhooks.management.rotateSecret(webhook.id, suite.principal);
    await suite.finished();
    await suite.look();
    const [first] = suite.receiver.received;
    for (const good of [secret, rotated.secret]) {
      new Webhook(good).verify(first?.body ?? '', first?.headers as Record<string, string>);
    }
    await suite.dataSource.query(`update orchestrator.webhook set old_secret_until = now()`);
    await suite.finished();
    await suite.look();
    const second = suite.receiver.received[1];
    expect(() => new Webhook(secret).verify(second?.body ?? '', second?.headers as Record<string, string>)).toThrow();
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
    await expect(suite.make({}, url)).rejects.toMatchObject({ code: 'input.invalid', path: ['url'] });
  });

  it('is refused for what is of another workspace, and for a version that is not the present one', async () => {
    const { webhook } = await suite.make();
    const stranger = newPrincipal();
    expect(await suite.webhooks.management.get([webhook.id], stranger)).toEqual([]);
    const change = { id: webhook.id, version: 1, name: 'x', cleared: [] };
    await expect(suite.webhooks.management.update(change, stranger)).rejects.toMatchObject({
      code: 'webhook.not_found',
    });
    await expect(suite.webhooks.management.delete(webhook.id, stranger)).rejects.toMatchObject({
      code: 'webhook.not_found',
    });
    await expect(suite.webhooks.management.rotateSecret(webhook.id, stranger)).rejects.toMatchObject({
      code: 'webhook.not_found',
    });
    await expect(suite.webhooks.management.update({ ...change, version: 7 }, suite.principal)).rejects.toMatchObject({
      code: 'entity.conflict',
    });
    expect(await suite.webhooks.management.update({ ...change, cleared: ['states'] }, suite.principal)).toMatchObject({
      name: 'x',
      version: 2,
    });
  });

  it('is found by its name and by the host of its receiver, literally, and not by what lets one in there', async () => {
    const [first, second] = [
      (await suite.make({}, 'https://one.example.com/token-of-it')).webhook,
      (await suite.make({}, 'https://two.example.com/')).webhook,
    ];
    const { management } = suite.webhooks;
    await management.update({ id: first.id, version: 1, name: '100%_', cleared: [] }, suite.principal);
    const find = async (search: string, by = suite.principal) => {
      const { webhooks, totalCount } = await management.list({ page: { first: 10 }, search }, by);
      expect(totalCount).toBe(webhooks.length);
      return webhooks.map(({ id }) => id);
    };
    expect(await find('0%_')).toEqual([first.id]);
    expect(await find('0__')).toEqual([]);
    expect(await find('TWO.example')).toEqual([second.id]);
    expect(await find('of-it')).toEqual([]);
    expect(await find('example', newPrincipal())).toEqual([]);
    await expect(find('x'.repeat(201))).rejects.toMatchObject({ code: 'input.invalid', path: ['search'] });
    const page = await management.list({ page: { first: 1 }, search: 'example' }, suite.principal);
    const other = { page: { first: 1, after: page.cursors[0] ?? '' }, search: 'two' };
    await expect(management.list(other, suite.principal)).rejects.toMatchObject({ code: 'input.cursor_invalid' });
  });

  it('is bounded: a workspace has at most 50', async () => {
    for (let count = 0; count < 50; count += 1) await suite.make();
    await expect(suite.make()).rejects.toMatchObject({ code: 'input.too_large' });
  });
});
