import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#libs/testing';
import { runSluice } from '../../deploy/cli/run-sluice.js';
import { run, runToEnd, untilFinal, untilRunning } from '../support/executions.js';
import { newPerson } from '../support/people.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { sharedMesh } from '../support/running-mesh.js';
import { newWorkspace } from '../support/second-workspace.js';
import { endlessQuery, unique } from '../support/slow-queries.js';
import { untilNoBackend, untilQuiet } from '../support/source-activity.js';

const guide = readFileSync('docs/doctor.md', 'utf8');
const example = (name: string): string => fencedBlocks(guide, `graphql ${name}`)[0] ?? '';

const mesh = sharedMesh();
let sourceId = '';
beforeAll(async () => {
  sourceId = (await mesh.source('flights_pg')).id;
});
afterAll(async () => {
  await untilQuiet(mesh);
  await mesh.close();
});

interface Worker {
  id: string;
  state: string;
  busySlots: number;
  runs: { executionId: string; seconds: number; dataSource: { name: string } }[];
}

interface Live {
  operations: {
    queues: object[];
    workers: Worker[];
    running: { executionId: string; submittedBy: { name: string }; execution: { sql: string } }[];
    slow: object[];
    topUsers: { runs: number }[];
    topDataSources: { runs: number }[];
  };
}

interface Health {
  operations: { health: { healthy: boolean; findings: { check: string; severity: string }[]; notChecked: object[] } };
}

const live = async (): Promise<Live['operations']> => (await mesh.admin.request<Live>(example('live'))).operations;

describe('The live view of docs/doctor.md', () => {
  test('shows what each worker runs now, and a kill ends it at its source', async () => {
    await runToEnd(mesh.admin, sourceId, unique('select 1'));
    const { text, mark } = endlessQuery();
    const { id } = await run(mesh.admin, sourceId, text);
    await untilRunning(mesh.admin, id);
    const { workers, running, topUsers, topDataSources } = await live();
    expect(workers.flatMap(({ runs }) => runs).map(({ executionId }) => executionId)).toContain(id);
    expect(running.find(({ executionId }) => executionId === id)?.execution.sql).toContain(mark);
    expect([topUsers[0]?.runs, topDataSources[0]?.runs]).toEqual([expect.any(Number), expect.any(Number)]);
    const { killExecution } = await mesh.admin.request<{ killExecution: { errors: object[] } }>(example('kill'), {
      id,
    });
    expect(killExecution.errors).toEqual([]);
    await untilNoBackend(mesh, mark, 5_000);
    expect((await untilFinal(mesh.admin, id)).state).toBe('CANCELED');
    await until(async () => {
      const { auditEntries } = await mesh.admin.request<{ auditEntries: { nodes: object[] } }>(
        `query ($id: String!) { auditEntries(first: 5, filter: { targetId: $id, action: "execution.killed" }) { nodes { action } } }`,
        { id },
      );
      return auditEntries.nodes.length === 1;
    });
  });

  test('a drained worker takes no more runs, and takes them again when it is undrained', async () => {
    const [worker, ...others] = (await live()).workers.filter(({ state }) => state !== 'SILENT');
    const id = worker?.id ?? '';
    const set = (name: 'drain' | 'undrain'): Promise<unknown> => mesh.admin.request(example(name), { id });
    const stateOf = async (): Promise<string | undefined> =>
      (await live()).workers.find((each) => each.id === id)?.state;
    expect(await set('drain')).toMatchObject({ drainWorker: { errors: [], worker: { id, state: 'DRAINING' } } });
    try {
      // The only worker of this installation: what is asked now waits.
      expect(others).toEqual([]);
      const execution = await run(mesh.admin, sourceId, unique('select 1'));
      await until(async () => (await live()).queues.length === 1);
      const { operations } = await mesh.admin.request<Health>(example('health'));
      expect(operations.health.findings.filter(({ check }) => check === 'work.workers')).toEqual([
        expect.objectContaining({ severity: 'CRITICAL' }),
      ]);
      await set('undrain');
      expect((await untilFinal(mesh.admin, execution.id)).state).toBe('SUCCEEDED');
      await until(async () => (await stateOf()) === 'FREE');
    } finally {
      await set('undrain');
    }
  });

  test('is shown to nobody without the permission', async () => {
    const { client } = await newPerson(mesh.admin, 'editor');
    await expect(client.request(example('live'))).rejects.toThrow(/operations/);
  });

  test('another workspace sees its own alone, and nothing of the installation', async () => {
    const other = await newWorkspace(mesh);
    await expect(other.request(example('health'))).rejects.toThrow(/operate the installation/);
    const { operations } = await other.request<Live>(example('live'));
    expect([operations.running, operations.topUsers]).toEqual([[], []]);
  });
});

describe('sluice doctor', () => {
  test('finds nothing serious in the stores and services of a sound installation, and says so by its exit code', async () => {
    const { code, stdout } = await runSluice(['doctor', '--json'], {
      SLUICE_REDIS_URL: mesh.access.brokerUrl,
      SLUICE_DATABASE_URL: mesh.access.sluiceDatabaseUrl,
    });
    const { findings } = JSON.parse(stdout) as { findings: { severity: string; check: string }[] };
    const serious = findings.filter(({ severity }) => severity !== 'NOTICE');
    // Other tests of this installation leave keys that expire soon and sources that fail.
    expect(serious.filter(({ check }) => !/^(auth|work)\./.test(check))).toEqual([]);
    expect(code).toBe(serious.length > 0 ? 3 : 0);
  });
});
