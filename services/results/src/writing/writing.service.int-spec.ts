import { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { BusClient } from '#libs/bus';
import { rowsCommitted, type Column } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { MetricsRegistry } from '#libs/telemetry';
import { startPostgres, testPoolingExtra, type PostgresServer } from '#libs/testing';
import { migrations } from '../database/migrations/migrations.js';
import type { ResultsConfig } from '../results.config.js';
import { WritingMetrics } from './writing.metrics.js';
import { WritingRepository } from './writing.repository.js';
import { WritingService } from './writing.service.js';
import type { NewPage, NewSeal, RunTry } from './writing.types.js';

const columns: Column[] = [{ name: 'n', type: 'INTEGER', nullable: false }];

let server: PostgresServer;
let dataSource: DataSource;
let tell: ReturnType<typeof vi.fn>;
let service: WritingService;
let run: RunTry;

beforeAll(async () => {
  server = await startPostgres();
  const url = await server.createDatabase();
  dataSource = await new DataSource({
    type: 'postgres',
    url,
    schema: 'results',
    migrations,
    extra: testPoolingExtra,
  }).initialize();
  await dataSource.query('create schema results');
  await dataSource.runMigrations();
});

afterAll(async () => {
  await dataSource.destroy();
  await server.stop();
});

beforeEach(() => {
  tell = vi.fn(async () => undefined);
  // Of the bus and of the settings the service uses these alone.
  const bus = { tell } as unknown as BusClient;
  const config = { retention: { ttlSeconds: 60, cacheTtlMaxSeconds: 0 } } as ResultsConfig;
  const metrics = new WritingMetrics(new MetricsRegistry('results'));
  service = new WritingService(new WritingRepository(dataSource), bus, metrics, config);
  run = { workspaceId: newId('workspace'), runId: newId('run'), fence: 1 };
});

function newPage(number: number): NewPage {
  const page = { number, firstRow: number * 10, rowCount: 10, byteCount: 5, checksum: new Uint8Array(32) };
  return { ...run, page, columns };
}

function newSeal(): NewSeal {
  return { ...run, columns, rowCount: 10, byteCount: 5, truncated: false, pageCount: 1, inline: undefined };
}

describe('a worker that repeats what it was not answered', () => {
  it('is told that it was taken, and the rows are counted once', async () => {
    expect([await service.commitPage(newPage(0)), await service.commitPage(newPage(0))]).toEqual([true, true]);
    expect([await service.seal(newSeal()), await service.seal(newSeal())]).toEqual([true, true]);
    expect(await service.commitPage(newPage(0))).toBe(true);
    expect((await service.closeFence(run)).rowCount).toBe(10);
  });

  it('is told to stop where its fence has been closed since', async () => {
    await service.commitPage(newPage(0));
    await service.closeFence(run);
    expect([await service.commitPage(newPage(1)), await service.seal(newSeal())]).toEqual([false, false]);
  });

  it('with something else in its place is refused as a fault', async () => {
    await service.commitPage(newPage(0));
    const other = { ...newPage(0).page, checksum: new Uint8Array(32).fill(1) };
    await expect(service.commitPage({ ...newPage(0), page: other })).rejects.toMatchObject({ code: 'internal' });
    await expect(service.commitPage(newPage(2))).rejects.toMatchObject({ code: 'internal' });
    await expect(service.seal({ ...newSeal(), rowCount: 9 })).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('gateways', () => {
  it('are told how many rows can be read, after each page and the seal, and again where an answer was lost', async () => {
    await service.commitPage(newPage(0));
    await service.commitPage(newPage(0));
    await service.seal(newSeal());
    const told = { ...run, rows: 10, bytes: 5 };
    expect(tell.mock.calls).toEqual([1, 2, 3].map(() => [rowsCommitted, run.runId, told]));
  });

  it('are told nothing of what was not taken', async () => {
    await service.closeFence(run);
    await service.commitPage(newPage(0));
    expect(tell).not.toHaveBeenCalled();
  });

  it('that cannot be told do not keep a page from being committed', async () => {
    tell.mockReturnValue(new Promise(() => undefined));
    expect(await service.commitPage(newPage(0))).toBe(true);
  });
});
