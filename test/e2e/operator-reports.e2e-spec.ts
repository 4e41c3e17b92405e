import { afterAll, describe, expect, test } from 'vitest';
import { runSluice } from '../../deploy/cli/run-sluice.js';
import { findDataSource } from '../support/data-sources.js';
import { runToEnd } from '../support/executions.js';
import { sharedMesh } from '../support/running-mesh.js';
import { unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());
const env = { SLUICE_ORCHESTRATOR_DATABASE_URL: mesh.access.sluiceDatabaseUrl };

interface CostLine {
  of: string;
  runs: number;
  savedRuns: number;
}

async function costOf(sourceId: string): Promise<CostLine> {
  const { code, stdout, stderr } = await runSluice(['report', 'cost', '--days', '1', '--limit', '1000', '--json'], env);
  expect([code, stderr]).toEqual([0, '']);
  const { lines } = JSON.parse(stdout) as { lines: CostLine[] };
  return lines.find(({ of }) => of === sourceId) ?? { of: sourceId, runs: 0, savedRuns: 0 };
}

describe('sluice report cost', () => {
  test('counts a run as run and each answer from the cache as one spared', async () => {
    const { id } = await findDataSource(mesh.admin, 'flights_pg');
    const before = await costOf(id);
    const text = unique('select count(*) as n from airports');
    for (let asked = 0; asked < 3; asked += 1) await runToEnd(mesh.admin, id, text);
    const after = await costOf(id);
    expect([after.runs - before.runs, after.savedRuns - before.savedRuns]).toEqual([1, 2]);
  });
});

describe('sluice capacity --forecast', () => {
  test('reads the history of an installation, and says where that is too short', async () => {
    const { code, stdout, stderr } = await runSluice(['capacity', '--forecast'], env);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('slots of workers');
    expect(stdout).toContain('do not rely on them');
  });
});
