import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { MetricsRegistry } from '#libs/telemetry';
import { openDatabase } from '../../test/data-source.js';
import {
  answerAround,
  newConfig,
  newPrincipal,
  newSource,
  startOrchestrator,
  submitSql,
  TestWorker,
} from '../../test/orchestrator-harness.js';
import { clear } from '../../test/orchestrator-suite.js';
import { StateMetrics } from './state-metrics.service.js';
import { StateRepository } from './state.repository.js';

let server: PostgresServer;
let dataSource: DataSource;
let metrics: MetricsRegistry;

beforeAll(async () => {
  server = await startPostgres();
  dataSource = await openDatabase(await server.createDatabase());
});

afterAll(async () => {
  if (dataSource.isInitialized) await dataSource.destroy();
  await server.stop();
});

beforeEach(async () => {
  await clear(dataSource);
  metrics = new MetricsRegistry('orchestrator');
  void new StateMetrics(metrics, new StateRepository(dataSource, newConfig()));
});

async function told(name: string): Promise<Record<string, number>> {
  const { body } = await metrics.expose();
  const series = body.matchAll(new RegExp(`^sluice_orchestrator_${name}\\{(?:state="(\\w+)",)?.*\\} (\\S+)$`, 'gm'));
  return Object.fromEntries([...series].map(([, state = 'value', value]) => [state, Number(value)]));
}

/** One run, claimed by a worker that tells of itself. */
async function running(): Promise<TestWorker> {
  const orchestrator = startOrchestrator(dataSource);
  const principal = newPrincipal();
  const source = newSource(principal.workspaceId);
  answerAround(orchestrator.bus, source);
  const worker = new TestWorker(orchestrator);
  await worker.announce(1);
  const { runId } = await submitSql(orchestrator, principal, source, 'select 1');
  await worker.claim({ runId, fence: 1 });
  await submitSql(orchestrator, principal, source, 'select 2');
  return worker;
}

describe('The metrics of states', () => {
  it('count unfinished runs by state, with a zero where there is none, and say how long the oldest waits', async () => {
    await running();
    await dataSource.query(`update orchestrator.run set queued_at = now() - interval '90 s' where state = 'QUEUED'`);
    expect(await told('runs')).toEqual({ QUEUED: 1, DISPATCHED: 0, RUNNING: 1, CANCELING: 0 });
    expect((await told('queue_oldest_seconds'))['value']).toBeGreaterThanOrEqual(90);
  });

  it.each([
    ['QUEUED', `queue_deadline = now() - interval '2 min' where state = 'QUEUED'`],
    ['RUNNING', `lease_until = now() - interval '2 min' where state = 'RUNNING'`],
    ['RUNNING', `deadline = now() - interval '2 min' where state = 'RUNNING'`],
    [
      'CANCELING',
      `state = 'CANCELING', cancel_reason = 'CANCELED', canceling_at = now() - interval '2 min' where state = 'RUNNING'`,
    ],
  ])('count a run as stuck that is %s a minute longer than it may be', async (state, change) => {
    await running();
    expect(Object.values(await told('stuck_runs'))).toEqual([0, 0, 0, 0]);
    await dataSource.query(`update orchestrator.run set ${change}`);
    expect(await told('stuck_runs')).toMatchObject({ [state]: 1 });
  });

  it('tell a worker that fell silent from one that was drained, for ten minutes', async () => {
    const worker = await running();
    expect(await told('workers')).toEqual({ live: 1, draining: 0, lost: 0 });
    const silentFor = (time: string) =>
      dataSource.query(`update orchestrator.worker set heartbeat_at = now() - interval '${time}'`);
    await silentFor('1 min');
    expect(await told('workers')).toEqual({ live: 0, draining: 0, lost: 1 });
    await silentFor('12 min');
    expect(await told('workers')).toEqual({ live: 0, draining: 0, lost: 0 });
    await worker.announce(0);
    expect(await told('workers')).toEqual({ live: 0, draining: 1, lost: 0 });
    await silentFor('1 min');
    expect(await told('workers')).toEqual({ live: 0, draining: 0, lost: 0 });
  });

  it('are left out while the database is away, and cost the other metrics nothing', async () => {
    metrics.gauge({ name: 'memory', help: 'Of the process.' }, (gauge) => gauge.set(7));
    await running();
    await dataSource.destroy();
    const { body } = await metrics.expose();
    expect(body).toContain('sluice_orchestrator_memory{service="orchestrator"} 7');
    expect(body).not.toMatch(/^sluice_orchestrator_(runs|workers)\{/m);
  });
});
