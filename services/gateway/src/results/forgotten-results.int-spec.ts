import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { resultsRequests, runRequests } from '#libs/contracts';
import { collect, namesOf } from '../../test/execution-events.js';
import { sourceId, type FakeRun } from '../../test/fake-run.js';
import { GatewaySuite } from '../../test/gateway-suite.js';

let suite: GatewaySuite;
beforeAll(async () => {
  suite = await GatewaySuite.start();
});
beforeEach(() => suite.forget());
afterAll(() => suite.stop());

/** The results service knows nothing of any run, as long after their time or when it was restored from an older copy. */
function forgetResults(): void {
  suite.services.answersWith(resultsRequests.getManifests, () => ({ manifests: [] }));
  suite.services.answersWith(resultsRequests.locatePages, () => ({ manifest: undefined, pages: [] }));
}

async function succeeded(rows: number): Promise<FakeRun> {
  const run = suite.newRun();
  run.move('RUNNING');
  if (rows > 0) await run.commitRows(rows);
  run.move('SUCCEEDED');
  Object.assign(run.execution, { rows, bytes: rows * 10 });
  return run;
}

async function ask(query: string, variables: object = {}) {
  return suite.gateway.ask(query, variables, { authorization: suite.authorization });
}

describe('a result of a success of which no record is left', () => {
  it('is told by EventsSkipped, once, and then the final state', async () => {
    const run = await succeeded(4);
    forgetResults();
    const client = suite.gateway.connect(suite.authorization);
    const tell = async (after?: unknown) => {
      const told = collect(client, { id: run.execution.id, includeRows: true, after });
      expect(await told.done).toBeUndefined();
      expect(told.results.flatMap(({ errors = [] }) => errors)).toEqual([]);
      return told.events;
    };
    const events = await tell();
    expect(namesOf(events)).toEqual(['ExecutionSnapshot', 'EventsSkipped', 'ExecutionStateChanged']);
    expect(namesOf(await tell(events[1]?.['cursor']))).toEqual(['ExecutionSnapshot', 'ExecutionStateChanged']);
    await client.dispose();
  });

  it('skips nothing where it had no rows, and where the run did not succeed', async () => {
    const client = suite.gateway.connect(suite.authorization);
    const canceled = suite.newRun();
    canceled.move('CANCELED');
    const empty = await succeeded(0);
    forgetResults();
    for (const run of [empty, canceled]) {
      const { events, done } = collect(client, { id: run.execution.id, includeRows: true });
      expect(await done).toBeUndefined();
      expect(namesOf(events)).toEqual(['ExecutionSnapshot', 'ExecutionStateChanged']);
    }
    await client.dispose();
  });

  it('is EXPIRED with what the execution tells of it, and its rows are null with RESULT_EXPIRED', async () => {
    const { execution } = await succeeded(4);
    forgetResults();
    const id = execution.id.replace('exe', 'res');
    const { data, errors } = await ask(`{
      execution(id: "${execution.id}") { state result {
        id state rowCount byteCount truncated expiresAt columns { name } rows(first: 5, columns: ["n"]) { rows }
      } }
      node(id: "${id}") { ... on Result { state } }
    }`);
    const result = { id, state: 'EXPIRED', rowCount: 4, byteCount: 40, truncated: false, expiresAt: null, columns: [] };
    expect(data).toEqual({
      execution: { state: 'SUCCEEDED', result: { ...result, rows: null } },
      node: { state: 'EXPIRED' },
    });
    expect(errors?.map(({ extensions }) => extensions?.['code'])).toEqual(['RESULT_EXPIRED']);
  });

  it('has no download, and an address from before leads to RESULT_EXPIRED', async () => {
    const { execution } = await succeeded(4);
    const download = async () => {
      const selection = '{ result { download(format: CSV, columns: ["n"]) { url } } }';
      const { data, errors } = await ask(`{ execution(id: "${execution.id}") ${selection} }`);
      expect(errors).toBeUndefined();
      return data?.['execution'].result?.download;
    };
    const { url } = await download();
    forgetResults();
    const response = await fetch(url);
    expect(response.status).toBe(410);
    expect(await response.text()).toMatch(/^RESULT_EXPIRED/);
    const { data } = await ask(`{ execution(id: "${execution.id}") { result { state } } }`);
    expect(data?.['execution'].result).toEqual({ state: 'EXPIRED' });
    expect(await download()).toBeNull();
  });

  it('is null as before where the run has not succeeded', async () => {
    const running = suite.newRun();
    running.move('RUNNING');
    const failed = suite.newRun();
    failed.move('FAILED');
    forgetResults();
    for (const { execution } of [running, failed]) {
      const { data } = await ask(`{ execution(id: "${execution.id}") { result { state } } }`);
      expect(data?.['execution']).toEqual({ result: null });
    }
  });
});

describe('a result that comes while an operation is under way', () => {
  it('is not taken for a forgotten one, though the operation had looked for it before', async () => {
    const run = suite.newRun();
    run.move('RUNNING');
    let manifests = 0;
    suite.services.answersWith(resultsRequests.getManifests, () => {
      manifests += 1;
      return { manifests: manifests === 1 ? [] : [run.manifest] };
    });
    suite.services.on(runRequests.submitExecution, () => {
      if (manifests > 0) run.move('SUCCEEDED');
      return { execution: structuredClone(run.execution) };
    });
    const sql = `query: { sql: { dataSourceId: "${sourceId}", text: "select 1" } }`;
    const call = `runQuery(input: { ${sql}, waitSeconds: 0 }) { execution { state result { state } } }`;
    const { data } = await ask(`mutation { first: ${call} second: ${call} }`);
    expect(data?.['first'].execution).toEqual({ state: 'RUNNING', result: null });
    expect(data?.['second'].execution).toEqual({ state: 'SUCCEEDED', result: { state: 'COMPLETE' } });
  });
});
