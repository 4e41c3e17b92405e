import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rowsCommitted, runChanged, type RunChanged } from '#libs/contracts';
import { RedisConnections } from '#libs/redis';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { startRedis, until, type RedisServer } from '#libs/testing';
import type { ReaderParts } from './blocking-reader.js';
import { BusClient } from './bus-client.js';
import { BusMetrics } from './bus-metrics.js';
import { FirehoseReader } from './firehose-reader.js';

function change(runId: string, version: number): RunChanged {
  return {
    runId,
    workspaceId: 'wsp_1',
    state: 'RUNNING',
    version,
    fence: 1,
    rows: 0,
    bytes: 0,
    changedAt: new Date(0),
    attempts: 1,
    wasLeft: false,
  };
}

describe('the firehose', () => {
  let redis: RedisServer;
  let parts: ReaderParts;
  let client: BusClient;
  let heard: string[];
  let gaps: number;
  let reader: FirehoseReader;

  beforeEach(async () => {
    redis = await startRedis();
    const logger = AppLogger.create({ service: 'gateway', instance: 'gateway', level: 'silent' });
    const role = { url: redis.url };
    const connections = new RedisConnections({ prefix: 'test', broker: role, session: role, cache: {} }, logger);
    parts = { redis: connections, logger, metrics: new BusMetrics(new MetricsRegistry('gateway')) };
    client = new BusClient('gateway-1', parts);
    heard = [];
    gaps = 0;
    reader = new FirehoseReader(parts)
      .on(runChanged, ({ runId, version }) => heard.push(`${runId}:${version}`))
      .on(rowsCommitted, ({ runId, rows }) => heard.push(`${runId}+${rows}`));
    reader.start(() => (gaps += 1));
    await until(async () => {
      await client.tell(runChanged, 'run_probe', change('run_probe', 0));
      return heard.length > 0;
    });
    heard.length = 0;
    gaps = 0;
  });
  afterEach(async () => {
    await reader.stop();
    await parts.redis.close();
    await redis.stop();
  });

  it('tells every change of a run in order, whatever partition it is in', async () => {
    const runs = Array.from({ length: 20 }, (_, index) => `run_${index}`);
    for (const version of [1, 2, 3])
      await Promise.all(runs.map((run) => client.tell(runChanged, run, change(run, version))));
    await until(() => heard.filter((each) => !each.startsWith('run_probe')).length === 60);
    for (const run of runs)
      expect(heard.filter((each) => each.startsWith(`${run}:`))).toEqual([`${run}:1`, `${run}:2`, `${run}:3`]);
    expect(gaps).toBe(0);
  });

  it('says that there is a gap after FLUSHALL, and goes on', async () => {
    await parts.redis.client('broker').flushall();
    await until(() => gaps > 0);
    await until(async () => {
      await client.tell(rowsCommitted, 'run_1', { runId: 'run_1', workspaceId: 'wsp_1', fence: 1, rows: 5, bytes: 9 });
      return heard.includes('run_1+5');
    });
  });

  it('never makes its teller fail', async () => {
    await redis.kill();
    await expect(client.tell(runChanged, 'run_1', change('run_1', 1))).resolves.toBeUndefined();
    await redis.launch();
  });
});
