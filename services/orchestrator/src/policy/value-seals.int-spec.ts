import { randomBytes } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { authRequests, metadataRequests, type SourceConnection } from '#libs/contracts';
import { MasterKeys, newDataKey, openText, type DataKey } from '#libs/encryption';
import type { Principal } from '#libs/identity';
import { newId } from '#libs/kernel';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { openDatabase } from '../../test/data-source.js';
import { FakeBus } from '../../test/fake-bus.js';
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
import { AuthClient } from '../plan/auth.client.js';
import { DataKeys } from './data-keys.js';
import { MaskKeys } from './mask-keys.js';

const masks = { masterKeys: `k1:${randomBytes(32).toString('base64')}` };
const masterKeys = MasterKeys.parse(masks.masterKeys);
const sql = 'select email from people';

let server: PostgresServer;
let dataSource: DataSource;
let principal: Principal;
let source: SourceConnection;
let dataKey: DataKey;

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
  principal = newPrincipal();
  source = newSource(principal.workspaceId);
  dataKey = newDataKey(masterKeys, principal.workspaceId);
});

/** An orchestrator before whose source stands a policy that hashes a column. */
function start(): Orchestrator {
  const orchestrator = startOrchestrator(dataSource, { masks });
  const { bus } = orchestrator;
  answerAround(bus, source);
  bus.answer(metadataRequests.resolveRunnable, () => ({ source, revision: 1, policiesFingerprint: 'f1' }));
  bus.answer(metadataRequests.getSourcePolicies, () => ({
    rowPolicies: [
      {
        ...{ id: 'pol_1', name: 'p', dataSourceId: source.id, predicate: 'true', groupNames: [], exemptGroupNames: [] },
        ...{ masks: [{ column: 'email', kind: 'HASH' as const }], enabled: true, version: 1 },
      },
    ],
    tables: [{ schema: 'public', name: 'people', columns: [{ name: 'email', sourceType: 'text' }] }],
    searchPath: ['public'],
  }));
  bus.answer(authRequests.getDataKey, () => dataKey);
  bus.answer(authRequests.getViewer, () => ({
    ...{ id: principal.userId, permissions: [], attributes: {} },
    user: {
      ...{ id: principal.userId, name: 'Ann', email: 'ann@example.com', roleNames: [], groupNames: [] },
      ...{ privateReadable: true, disabled: false, version: 1, createdAt: new Date() },
    },
  }));
  return orchestrator;
}

function keyOf({ key }: DataKey): Promise<string> {
  const bus = new FakeBus();
  bus.answer(authRequests.getDataKey, () => ({ ...dataKey, key }));
  return new MaskKeys(new DataKeys(new AuthClient(bus.asClient()), { masks })).get(principal.workspaceId);
}

/** Every row of every table, as text; bytes are read as text too. */
async function everythingStored(): Promise<string> {
  const tables: { name: string }[] = await dataSource.query(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'orchestrator'`,
  );
  const rows = await Promise.all(tables.map(({ name }) => dataSource.query(`select * from ${name}`)));
  return JSON.stringify(rows, (_, value: unknown) =>
    typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value
      ? Buffer.from(value.data as number[]).toString('latin1')
      : value,
  );
}

describe('the key of HASH masks', () => {
  it('is in the job and in what the orchestrator stores as ciphertext alone, bound to its run', async () => {
    const orchestrator = start();
    await new TestWorker(orchestrator).announce(1);
    const { runId } = await submitSql(orchestrator, principal, source, sql);
    const key = await keyOf(dataKey);
    const [job] = orchestrator.jobs;
    const sealed = job?.values[0]?.sealed ?? '';
    expect(job?.values).toEqual([{ type: 'text', sealed: expect.any(String) }]);
    const aad = `${principal.workspaceId}/${runId}`;
    expect(openText(sealed, masterKeys, aad)).toBe(key);
    expect(() => openText(sealed, masterKeys, `${principal.workspaceId}/${newId('run')}`)).toThrow();
    const stored = await everythingStored();
    expect(stored).toContain(sealed);
    const bytes = Buffer.from(key, 'base64url');
    const forms = [key, bytes.toString('hex'), bytes.toString('base64'), bytes.toString('latin1')];
    for (const form of forms)
      expect([stored.includes(form), JSON.stringify(job).includes(form)]).toEqual([false, false]);
  });

  it('is sealed for a run that waits, too, whose job is made of its row', async () => {
    const orchestrator = start();
    const { runId } = await submitSql(orchestrator, principal, source, sql);
    await new TestWorker(orchestrator).announce(1);
    const filled = await orchestrator.dispatch.fill('default', 1);
    const [plan] = filled.kind === 'filled' ? filled.dispatched.map((each) => each.plan) : [];
    const aad = `${principal.workspaceId}/${runId}`;
    expect(openText(plan?.values[0]?.sealed ?? '', masterKeys, aad)).toBe(await keyOf(dataKey));
  });

  it('lets equal questions of two orchestrators share a run, and tells keys apart', async () => {
    const [one, other] = [start(), start()];
    const first = await submitSql(one, principal, source, sql);
    const second = await submitSql(other, principal, source, sql);
    expect([second.runId, second.cacheStatus]).toEqual([first.runId, 'SHARED']);
    dataKey = newDataKey(masterKeys, principal.workspaceId);
    expect((await submitSql(start(), principal, source, sql)).runId).not.toBe(first.runId);
  });
});
