import type pg from 'pg';
import type { DataSource } from 'typeorm';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { databaseSettings, loadConfig } from '#libs/config';
import { AppLogger } from '#libs/telemetry';
import { startPostgres, TcpProxy, until, type PostgresServer } from '#libs/testing';
import { committing, waitFor, writeThatWaits } from '../test/waiting-commits.js';
import { AnsweringClient } from './connection/answering-client.js';
import {
  dataSourceOptions,
  migrationOptions,
  timeouts,
  type PostgresOptions,
} from './connection/data-source-options.js';
import { connectOnce } from './connection/open-data-source.js';
import { poolOf } from './connection/pool-of.js';
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

function options(
  env: Record<string, string> = {},
  port = wire.port,
): { main: PostgresOptions; migrating: PostgresOptions } {
  const url = new URL(server.url);
  url.port = String(port);
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

  it('is not looked for when an idle connection has a statement in the turn in which its patience ends', async () => {
    const client = await poolOf(dataSource).connect();
    const made = wire.connections;
    try {
      const answer = await new Promise((resolve, reject) => {
        client.connection.stream.once('timeout', () => {
          client.query('select pg_sleep(0.4), 1 as one').then(({ rows }) => resolve(rows), reject);
        });
      });
      expect(answer).toMatchObject([{ one: 1 }]);
    } finally {
      client.release();
    }
    expect(wire.connections).toBe(made);
  });

  it('is asked for once, however many connections wait', async () => {
    const pool = poolOf(dataSource);
    const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
    const made = wire.connections;
    const text = `select pg_sleep(${(1.5 * answerMs) / 1_000})`;
    const answers = await Promise.allSettled(clients.map((client) => client.query(text)));
    for (const client of clients) client.release();
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    expect(wire.connections - made).toBe(1);
  });
});

/** Past the wire, which is a part of this process and stands still with it. */
async function connectDirectly(): Promise<DataSource> {
  const { main } = options({}, server.port);
  const direct = await connectOnce({ ...main, extra: { ...(main.extra as object), answerMs } });
  onTestFinished(() => direct.destroy());
  return direct;
}

describe('A database that is there', () => {
  it('keeps the connection whose commit waits for a synchronous standby: it would keep its own side of it anyway', async () => {
    const direct = await connectDirectly();
    await direct.query('create table kept (n integer)');
    try {
      await waitFor(dataSource, 'nobody');
      const { written } = await writeThatWaits(dataSource, () =>
        inTransaction(direct, (manager) => manager.query('insert into kept values (1)')),
      );
      const first = await until(async () => (await committing(dataSource))[0]);
      await new Promise((resolve) => setTimeout(resolve, 3 * answerMs));
      expect(await committing(dataSource)).toEqual([first]);
      await waitFor(dataSource, '');
      await written;
      expect(await direct.query('select pg_backend_pid() as pid from kept limit 1')).toEqual([{ pid: first }]);
    } finally {
      await waitFor(dataSource, '');
    }
  });

  it('keeps no connection for the commit of another one, which says nothing of a server that is gone', async () => {
    const direct = await connectDirectly();
    await direct.query('create table others (n integer)');
    await one();
    try {
      await waitFor(direct, 'nobody');
      const { written } = await writeThatWaits(direct, () => direct.query('insert into others values (1)'));
      // Another server answers in the place of the one that is gone.
      wire.swallowOpen();
      const { fault, ms } = await timed(one());
      expect(fault).toMatchObject({ code: 'bus.unknown_outcome' });
      expect(ms).toBeLessThan(noticedMs);
      await waitFor(direct, '');
      await written;
    } finally {
      await waitFor(direct, '');
    }
  });

  it('is not given up by a process that has stood still itself: what has arrived meanwhile is read', async () => {
    const direct = await connectDirectly();
    const answer = direct.query('select pg_sleep(0.2), 1 as one');
    const asked = `select from pg_stat_activity where state = 'active' and wait_event = 'PgSleep'`;
    await until(async () => (await dataSource.query<unknown[]>(asked)).length > 0);
    await new Promise<void>((resolve) => {
      setImmediate(() => {
        const endMs = performance.now() + 2 * answerMs;
        while (performance.now() < endMs);
        resolve();
      });
    });
    expect(await answer).toMatchObject([{ one: 1 }]);
  });
});

describe('A database that is not there', () => {
  it('leaves the outcome open as well where no connection can be made at all', async () => {
    const { main } = options();
    const other = await connectOnce(main);
    onTestFinished(() => other.destroy());
    await wire.stop();
    await until(async () => {
      const { fault } = await timed(other.query('select 1'));
      expect(fault).toMatchObject({ code: 'bus.unknown_outcome', cause: { code: 'ECONNREFUSED' } });
      return true;
    });
    wire = await TcpProxy.start(server.port);
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

  it.each([
    ['one server', {}],
    ['several', { SLUICE_DATABASE_URL: 'postgresql://a@127.0.0.1:1,127.0.0.1:2/d' }],
  ])('is the same for %s: each kind of client has it', (_servers, env: Record<string, string>) => {
    const { Client } = options(env).main.extra as { Client: typeof pg.Client };
    expect(new Client({ answerMs } as pg.ClientConfig)).toBeInstanceOf(AnsweringClient);
  });
});
