import { createHmac } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#libs/testing';
import type { ApiClient } from '../support/api-client.js';
import { downloaded } from '../support/downloads.js';
import { cancel, run, runToEnd } from '../support/executions.js';
import { newPerson } from '../support/people.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { sharedMesh } from '../support/running-mesh.js';
import { endlessQuery, unique } from '../support/slow-queries.js';
import { TourShell } from '../support/tour-shell.js';

const guide = readFileSync('docs/audit.md', 'utf8');
const block = (info: string): string => fencedBlocks(guide, info)[0] ?? '';

const mesh = sharedMesh();
let receiver: Server;
const received: { headers: Record<string, unknown>; body: string }[] = [];
beforeAll(async () => {
  receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      received.push({ headers: request.headers, body });
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  receiver.close();
  await mesh.close();
});

interface Entry {
  action: string;
  requestId: string;
  clientAddress: string | null;
  userAgent: string | null;
  actor: { kind: string; id: string; user: { name: string } | null };
  target: { type: string; id: string; name: string | null };
  after: Record<string, unknown> | null;
}

async function entriesOf(filter: Record<string, unknown>, client: ApiClient = mesh.admin): Promise<Entry[]> {
  const { auditEntries } = await client.request<{ auditEntries: { nodes: Entry[] } }>(
    `query ($filter: AuditFilter) { auditEntries(first: 20, filter: $filter) { nodes {
       action requestId clientAddress userAgent actor { kind id user { name } } target { type id name } after } } }`,
    { filter },
  );
  return auditEntries.nodes;
}

async function untilEntry(filter: Record<string, unknown>): Promise<Entry> {
  let found: Entry[] = [];
  await until(async () => (found = await entriesOf(filter)).length > 0, { what: JSON.stringify(filter) });
  if (!found[0]) throw new Error('nothing found');
  return found[0];
}

describe('docs/audit.md', () => {
  test('its query shows who made a user, from where, within a second or two', async () => {
    const { user } = await newPerson(mesh.admin, 'viewer');
    const entry = await untilEntry({ targetId: user.id, action: 'user.created' });
    expect(entry).toMatchObject({ actor: { kind: 'USER', user: {} }, clientAddress: '127.0.0.1' });
    expect(entry.userAgent).toMatch(/node|undici/);
    const { auditEntries } = await mesh.admin.request<{ auditEntries: { nodes: Entry[] } }>(block('graphql entries'));
    expect(auditEntries.nodes.some(({ target }) => target.id === user.id)).toBe(true);
  });

  test('its commands export the log and verify the export without Sluice', async () => {
    await until(async () => (await entriesOf({})).length > 2);
    const folder = mkdtempSync(join(tmpdir(), 'sluice-audit-'));
    const shell = new TourShell(folder);
    try {
      const settings = `SLUICE_URL=${mesh.origin} SLUICE_API_KEY=${mesh.access.apiKey}`;
      for (const code of [settings, block('sh export')]) {
        const { exitCode, output } = await shell.run({ language: 'sh', code, line: 0 });
        expect(exitCode, output).toBe(0);
      }
      const { output } = await shell.run({ language: 'js', code: block('js verify'), line: 0 });
      const lines = readFileSync(join(folder, 'audit.ndjson'), 'utf8').trimEnd().split('\n');
      expect(output.trim()).toBe(`${lines.length} entries are intact`);
    } finally {
      shell.end();
      rmSync(folder, { recursive: true, force: true });
    }
    expect(await untilEntry({ action: 'audit_log.exported' })).toMatchObject({ target: { type: 'audit_log' } });
  });

  test('its query verifies the chain', async () => {
    const { auditVerification } = await mesh.admin.request<{
      auditVerification: { intact: boolean; checkedCount: number; fault: unknown; last: { sequence: number } };
    }>(block('graphql verify'));
    expect(auditVerification).toMatchObject({ intact: true, fault: null });
    expect(auditVerification.checkedCount).toBeGreaterThanOrEqual(auditVerification.last.sequence);
  });

  test('its mutations set the retention and forward the log to a receiver, signed', async () => {
    const kept = await mesh.admin.request<{ updateAuditSettings: object }>(block('graphql retention'), { days: 365 });
    expect(kept.updateAuditSettings).toEqual({ retentionDays: 365, errors: [] });
    // What is not named stays, as in every update; null is named.
    const update =
      'mutation ($input: UpdateAuditSettingsInput!) { updateAuditSettings(input: $input) { retentionDays } }';
    const after = async (input: object): Promise<object> =>
      (await mesh.admin.request<{ updateAuditSettings: object }>(update, { input })).updateAuditSettings;
    expect(await after({})).toEqual({ retentionDays: 365 });
    expect(await after({ retentionDays: null })).toEqual({ retentionDays: null });
    expect(await after({})).toEqual({ retentionDays: null });
    await after({ retentionDays: 365 });
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/in`;
    const { createAuditForwarder: made } = await mesh.admin.request<{
      createAuditForwarder: { forwarder: { id: string }; secret: string; errors: unknown[] };
    }>(block('graphql forward'), { url });
    expect(made.errors).toEqual([]);
    await until(() => received.length > 0);
    const [{ headers, body } = { headers: {}, body: '' }] = received;
    expect(JSON.parse(body.split('\n')[0] ?? '')).toMatchObject({ sequence: 1, previousHash: '0'.repeat(64) });
    const key = Buffer.from(made.secret.slice('whsec_'.length), 'base64');
    const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
    expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`);
    const gone = await mesh.admin.request<{ deleteAuditForwarder: { deletedId: string } }>(
      'mutation ($id: ID!) { deleteAuditForwarder(id: $id) { deletedId errors { code } } }',
      { id: made.forwarder.id },
    );
    expect(gone.deleteAuditForwarder.deletedId).toBe(made.forwarder.id);
  });
});

describe('The audit log', () => {
  test('tells of a download, of the secrets that its query needed, and of a cancel for another', async () => {
    const { id } = await mesh.source('flights_pg');
    const { client, user } = await newPerson(mesh.admin, 'analyst');
    const execution = await runToEnd(client, id, unique('select 1 as one'));
    await downloaded(client, execution.id, { format: 'CSV' });
    const download = await untilEntry({ action: 'result.downloaded', targetId: execution.id });
    expect(download).toMatchObject({ actor: { id: user.id }, after: { format: 'CSV' }, clientAddress: '127.0.0.1' });
    expect(await untilEntry({ action: 'data_source.secrets_opened', targetId: id })).toMatchObject({
      actor: { kind: 'SERVICE', id: 'worker' },
    });
    const running = await run(client, id, endlessQuery().text);
    await cancel(mesh.admin, running.id);
    const canceled = await untilEntry({ action: 'execution.canceled_for_another', targetId: running.id });
    expect(canceled.after).toEqual({ submittedById: user.id });
  });

  test('alone knows what a client says that it is: no line of a log does', async () => {
    const userAgent = `agent-${Date.now().toString(36)}`;
    const mutation = 'mutation { createApiKey(input: { name: "agent" }) { apiKey { id } errors { code } } }';
    const { data } = await mesh.admin.send<{ createApiKey: { apiKey: { id: string } } }>(
      mutation,
      {},
      { 'user-agent': userAgent },
    );
    const entry = await untilEntry({ targetId: data?.createApiKey.apiKey.id, action: 'api_key.created' });
    expect(entry.userAgent).toBe(userAgent);
    const folder = join(mesh.access.directory, 'log');
    const logs = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    expect(logs.join('').length).toBeGreaterThan(1_000);
    expect(logs.some((log) => log.includes(userAgent))).toBe(false);
  });

  test('is read, exported, verified and forwarded by administrators alone', async () => {
    const { client } = await newPerson(mesh.admin, 'editor');
    for (const query of [
      '{ auditEntries(first: 1) { nodes { id } } }',
      '{ auditVerification { intact } }',
      '{ auditForwarders(first: 1) { nodes { id } } }',
      'mutation { updateAuditSettings(input: { retentionDays: 30 }) { errors { code } } }',
    ]) {
      const { data, errors } = await client.send<Record<string, { errors?: { code: string }[] } | null>>(query);
      const codes = [
        ...errors.map(({ extensions }) => extensions?.code),
        ...Object.values(data ?? {}).flatMap((field) => field?.errors?.map(({ code }) => code) ?? []),
      ];
      expect(codes, query).toEqual(['FORBIDDEN']);
    }
    const get = (authorization?: string): Promise<Response> =>
      fetch(`${mesh.origin}/v1/audit/export`, { headers: authorization === undefined ? {} : { authorization } });
    expect([(await get(client.authorization)).status, (await get()).status]).toEqual([403, 401]);
    const wrong = await fetch(`${mesh.origin}/v1/audit/export?fron=x`, {
      headers: { authorization: mesh.admin.authorization ?? '' },
    });
    expect(wrong.status).toBe(400);
  });
});
