import pg from 'pg';
import type { DataSource } from 'typeorm';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseSettings, loadConfig } from '#libs/config';
import { AppLogger } from '#libs/telemetry';
import { startPostgres, TcpProxy, type PostgresServer } from '#libs/testing';
import {
  dataSourceOptions,
  migrationOptions,
  timeouts,
  type PostgresOptions,
} from './connection/data-source-options.js';
import { connectOnce } from './connection/open-data-source.js';
import { asDatabaseFault } from './database-fault.js';
import { inTransaction } from './transaction.js';

const answerMs = 700;
/** On a busy machine; without the deadline it is a quarter of an hour. */
const noticedMs = answerMs + 5_000;

let server: PostgresServer;
let wire: TcpProxy;
let dataSource: DataSource;

beforeAll(async () => {
  server = await startPostgres();
  return () => server.stop();
});
beforeEach(async () => {
  wire = await TcpProxy.start(server.port);
  const { main } = options();
  // As a service has it, with less patience.
  dataSource = await connectOnce({ ...main, extra: { ...(main.extra as object), answerMs } });
  return async () => {
    await dataSource.destroy();
    await wire.stop();
  };
});

function options(env: Record<string, string> = {}): { main: PostgresOptions; migrating: PostgresOptions } {
  const url = new URL(server.url);
  url.port = String(wire.port);
  const settings = loadConfig(databaseSettings('metadata'), { SLUICE_DATABASE_URL: url.href, ...env });
  const logger = AppLogger.create({ service: 'metadata', instance: 'm1', level: 'silent' });
  const main = dataSourceOptions({ service: 'metadata', settings, entities: [], migrations: [], logger });
  return { main, migrating: migrationOptions(main, settings) };
}

const one = (): Promise<unknown> => dataSource.query('select 1 as one');

async function timed(work: Promise<unknown>): Promise<{ fault: unknown; ms: number }> {
  const begun = performance.now();
  const fault: unknown = await work.then(
    () => undefined,
    (error: unknown) => asDatabaseFault(error),
  );
  return { fault, ms: performance.now() - begun };
}

describe('A database behind one name that vanishes without a word', () => {
  it('is noticed within a bounded time: what waits fails as an open outcome, and the next one is asked anew', async () => {
    await one();
    wire.swallow();
    const { fault, ms } = await timed(one());
    expect(fault).toMatchObject({ code: 'bus.unknown_outcome' });
    expect(ms).toBeLessThan(noticedMs);
    wire.restore();
    expect(await one()).toEqual([{ one: 1 }]);
  });

  it('is noticed within a transaction as well, which does not go on elsewhere', async () => {
    const work = inTransaction(dataSource, async (manager) => {
      await manager.query('select 1');
      wire.swallow();
      await manager.query('select 2');
    });
    const { fault, ms } = await timed(work);
    expect(fault).toMatchObject({ code: 'bus.unknown_outcome' });
    expect(ms).toBeLessThan(noticedMs);
  });

  it('is no reason to end a connection that owes no answer, nor one whose answer is slow in coming and comes', async () => {
    await one();
    const made = wire.connections;
    await new Promise((resolve) => setTimeout(resolve, 2 * answerMs));
    expect(await dataSource.query(`select count(pg_sleep(0.002)) from generate_series(1, 10)`)).toEqual([
      { count: '10' },
    ]);
    const piecemeal = await dataSource.query<unknown[]>(
      `select repeat('x', 100000), pg_sleep(0.1) from generate_series(1, 10)`,
    );
    expect(piecemeal).toHaveLength(10);
    expect(wire.connections).toBe(made);
  });
});

describe('The patience with a server that owes an answer', () => {
  const patience = ({ extra }: PostgresOptions): unknown => (extra as { answerMs?: number }).answerMs;

  it('is longer than any statement may take there, and longer through a pooler, where it may wait for its turn', () => {
    expect(patience(options().main)).toBe(timeouts.answerMs);
    expect(timeouts.answerMs).toBeGreaterThan(timeouts.statementMs);
    const pooled = patience(options({ SLUICE_DATABASE_POOLING: 'transaction' }).main);
    expect(pooled).toBeGreaterThan(2 * timeouts.statementMs);
  });

  it('has no end for migrations, which build indexes', () => {
    expect(patience(options().migrating)).toBe(0);
  });

  it('is the same over TLS and for several hosts: each kind of client has it', () => {
    const several = { SLUICE_DATABASE_URL: 'postgresql://a@127.0.0.1:1,127.0.0.1:2/d' };
    for (const { main } of [options(), options(several)]) {
      const { Client } = main.extra as { Client: typeof pg.Client };
      expect(Client).not.toBe(pg.Client);
      expect(Client.name).toMatch(/^(Answering|Server)Client$/);
    }
  });
});
