import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from '#libs/testing';
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
import { clear, enqueue } from '../../test/orchestrator-suite.js';

let server: PostgresServer;
let dataSource: DataSource;
let orchestrator: Orchestrator;

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
  orchestrator = startOrchestrator(dataSource, { allowance: { runsPerMinute: 1_000_000 } });
});

async function medianMs(times: number, work: (n: number) => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let n = 0; n < times; n += 1) {
    const begun = performance.now();
    await work(n);
    took.push(performance.now() - begun);
  }
  return took.sort((a, b) => a - b)[Math.floor(times / 2)] ?? 0;
}

// Figures, not guarantees: measured where they are asked for.
describe.runIf(process.env['SLUICE_TEST_FIGURES'])('the queue', () => {
  it.each([
    ['of one user', 1, 1],
    ['of 20 workspaces with 50 users each', 20, 50],
  ])('%s costs as much per job with 10,000 waiting as with 100', async (_name, workspaces, users) => {
    const sources = Array.from({ length: workspaces }, () => newSource(newPrincipal().workspaceId));
    for (const source of sources) {
      await orchestrator.sourceService.take({ ...source, dataSourceId: source.id, deleted: false }, source.id);
    }
    const [source = newSource('')] = sources;
    answerAround(orchestrator.bus, source);
    const principal = newPrincipal({ workspaceId: source.workspaceId });
    const fillTo = async (count: number): Promise<void> => {
      for (const each of sources) await enqueue(dataSource, each, { count: count / workspaces, users, class: 1 });
    };
    let asked = 0;
    const measure = async () => {
      const submit = () => submitSql(orchestrator, principal, source, `select ${(asked += 1)}`);
      await medianMs(40, submit);
      const enqueueMs = await medianMs(120, submit);
      const worker = new TestWorker(orchestrator);
      await worker.announce(8);
      const dispatch = async (): Promise<void> => {
        const outcome = await orchestrator.dispatch.fill('default', 32);
        expect(outcome).toMatchObject({ kind: 'filled', dispatched: { length: 8 } });
      };
      const end = () =>
        dataSource.query(`update orchestrator.run set state = 'CANCELED', finished_at = now(),
          finished_xid = pg_current_xact_id(), finished_seq = 1 where state = 'DISPATCHED'`);
      const took: number[] = [];
      for (let n = 0; n < 20; n += 1) {
        took.push(await medianMs(1, dispatch));
        await end();
      }
      await worker.announce(0);
      const dequeueMs = (took.sort((a, b) => a - b)[10] ?? 0) / 8;
      return { enqueueMs, dequeueMs };
    };
    await fillTo(100);
    await measure();
    await dataSource.query(`delete from orchestrator.run`);
    await fillTo(100);
    const few = await measure();
    await fillTo(10_000);
    const many = await measure();
    const ratios = { enqueue: many.enqueueMs / few.enqueueMs, dequeue: many.dequeueMs / few.dequeueMs };
    if (process.env['SLUICE_TEST_FIGURES']) process.stdout.write(`${JSON.stringify({ few, many, ratios })}\n`);
    // 1.5 is the aim, as the bench has it; a busy machine alone makes 1.2 of 1.
    expect(ratios.enqueue).toBeLessThan(2);
    expect(ratios.dequeue).toBeLessThan(2);
  });
});
