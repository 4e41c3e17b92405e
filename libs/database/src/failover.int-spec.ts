import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EntityManager, type DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { databaseSettings, loadConfig } from '#libs/config';
import { AppLogger } from '#libs/telemetry';
import { SystemPostgres, TcpProxy, unprivilegedDirectory, until } from '#libs/testing';
import { dataSourceOptions, replicaOptions, type PostgresOptions } from './connection/data-source-options.js';
import { connectOnce } from './connection/open-data-source.js';
import { ReplicaReader, type ReadPlace } from './replica/replica-reader.js';

let primary: SystemPostgres;
let standby: SystemPostgres;
let directory: string;
/** By which the primary vanishes from the network without a word. */
let wire: TcpProxy;
const closing: (() => Promise<void>)[] = [];

beforeEach(async () => {
  directory = await unprivilegedDirectory();
  primary = await SystemPostgres.start({ directory: join(directory, 'primary') });
  standby = await primary.startStandby(join(directory, 'standby'));
  wire = await TcpProxy.start(primary.port);
});
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
  await wire.stop();
  await standby.stop();
  await primary.stop();
  await rm(directory, { recursive: true, force: true });
});

function options(
  standbyPort = standby.port,
  primaryPort = wire.port,
): { main: PostgresOptions; replica: PostgresOptions | undefined } {
  const at = (...ports: number[]): string =>
    `postgresql://postgres@${ports.map((port) => `127.0.0.1:${port}`).join(',')}/postgres`;
  const settings = loadConfig(databaseSettings('metadata'), {
    SLUICE_DATABASE_URL: at(standby.port, primaryPort),
    SLUICE_DATABASE_REPLICA_URL: at(standbyPort),
  });
  const logger = AppLogger.create({ service: 'metadata', instance: 'm1', level: 'silent' });
  const main = dataSourceOptions({ service: 'metadata', settings, entities: [], migrations: [], logger });
  return { main, replica: replicaOptions(main, settings) };
}

async function open(): Promise<DataSource> {
  const dataSource = await connectOnce(options().main);
  closing.push(() => dataSource.destroy());
  await dataSource.query('create table if not exists change (n integer primary key)');
  return dataSource;
}

const write = (dataSource: DataSource, n: number): Promise<unknown> =>
  dataSource.query('insert into change values ($1) on conflict do nothing', [n]);

const succeeds = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  );

/** The milliseconds until a write succeeds. */
async function writable(dataSource: DataSource, n: number): Promise<number> {
  const begun = performance.now();
  await until(() => succeeds(write(dataSource, n)), { what: 'the server that takes writes', timeoutMs: 20_000 });
  return performance.now() - begun;
}

const hasAll = (dataSource: DataSource, count: number): Promise<true> =>
  until(async () => (await dataSource.query<unknown[]>('select from change')).length === count, { what: 'all writes' });

describe('Several hosts in the address', () => {
  it('are asked which of them takes writes, whatever their order', async () => {
    const dataSource = await open();
    await write(dataSource, 1);
    const [row]: { port: number }[] = await dataSource.query('select inet_server_port() as port');
    expect(row?.port).toBe(primary.port);
  });

  it('may change their parts: after a failover writes go on at the standby that was promoted', async () => {
    const dataSource = await open();
    await write(dataSource, 1);
    await until(async () => standbyHas(1), { what: 'the standby' });
    await primary.stop();
    await promote();
    expect(await writable(dataSource, 2)).toBeLessThan(5_000);
    await hasAll(dataSource, 2);
  });

  it('may vanish from the network: what waits for an answer fails within seconds, and writes go on', async () => {
    const dataSource = await open();
    await until(async () => standbyHas(0), { what: 'the standby' });
    wire.swallow();
    const waiting = succeeds(write(dataSource, 1));
    await promote();
    expect(await waiting).toBe(false);
    expect(await writable(dataSource, 2)).toBeLessThan(10_000);
  });

  it('may be demoted under an open connection: the refused write is told, and the next one goes elsewhere', async () => {
    const dataSource = await open();
    await until(async () => standbyHas(0), { what: 'the standby' });
    await dataSource.query(`alter system set default_transaction_read_only = on`);
    await dataSource.query('select pg_reload_conf()');
    await promote();
    await until(async () => !(await succeeds(write(dataSource, 1))), { what: 'the refusal' });
    expect(await writable(dataSource, 2)).toBeLessThan(5_000);
    const [row]: { port: number }[] = await dataSource.query('select inet_server_port() as port');
    expect(row?.port).toBe(standby.port);
  });
});

describe('A list that a standby may answer', () => {
  interface Reader {
    readonly dataSource: DataSource;
    readonly replica: ReplicaReader;
    readonly places: ReadPlace[];
  }
  async function reader(standbyPort?: number): Promise<Reader> {
    const dataSource = await open();
    const places: ReadPlace[] = [];
    const replica = new ReplicaReader(dataSource, options(standbyPort).replica, (place) => places.push(place));
    closing.push(() => replica.onModuleDestroy());
    return { dataSource, replica, places };
  }
  const listed = (replica: ReplicaReader): Promise<number> =>
    replica.read(async (on) => (await on.query<unknown[]>('select from change')).length);

  it('shows each write that came before it, and the standby answers', async () => {
    const { dataSource, replica, places } = await reader();
    const atStandby = (): number => places.filter((place) => place === 'replica').length;
    // On a busy machine the standby may rest now and then, as it was behind.
    for (let n = 1; atStandby() < 25 && n <= 2_000; n += 1) {
      await write(dataSource, n);
      expect(await listed(replica)).toBe(n);
    }
    expect(atStandby()).toBe(25);
  });

  it('is answered by the primary while the standby is behind, and by the standby again once it has caught up', async () => {
    const { dataSource, replica, places } = await reader();
    await atStandby('select pg_wal_replay_pause()');
    await write(dataSource, 1);
    expect(await listed(replica)).toBe(1);
    expect(places).toEqual(['behind']);
    await atStandby('select pg_wal_replay_resume()');
    await until(async () => (await listed(replica)) === 1 && places.at(-1) === 'replica', { what: 'the standby' });
  });

  it('is answered by the primary when the standby is gone, or has become a primary of its own', async () => {
    const { dataSource, replica, places } = await reader();
    await until(async () => (await listed(replica)) === 0 && places.at(-1) === 'replica', { what: 'the standby' });
    await promote();
    await write(dataSource, 1);
    expect(await listed(replica)).toBe(1);
    expect(places.at(-1)).toBe('behind');
    await standby.stop();
    await write(dataSource, 2);
    await until(async () => (await listed(replica)) === 2 && places.at(-1) === 'failed', { what: 'the failure' });
  });

  it('is not answered by a standby that follows the primary of before a failover, however far ahead it is', async () => {
    const left = await primary.startStandby(join(directory, 'left'));
    closing.push(() => left.stop());
    await promote();
    await until(async () => !(await isStandby(standby)), { what: 'the promotion' });
    const dataSource = await connectOnce(options(left.port, standby.port).main);
    closing.push(() => dataSource.destroy());
    await dataSource.query('create table change (n integer primary key)');
    // What the primary of before still takes, and its standby with it, is lost to the new one.
    await primary.query('create table change (n integer primary key)');
    await primary.query('insert into change select generate_series(1, 100000)');
    await until(async () => (await left.query('select from change')).length === 100_000, { what: 'the standby' });
    const places: ReadPlace[] = [];
    const replica = new ReplicaReader(dataSource, options(left.port).replica, (place) => places.push(place));
    closing.push(() => replica.onModuleDestroy());
    const asked = vi.spyOn(EntityManager.prototype, 'query');
    expect(await listed(replica)).toBe(0);
    expect(places).toEqual(['behind']);
    // At once: it comes to fit by a checkpoint, which is not waited for.
    expect(asked.mock.calls.filter(([text]) => text.includes('pg_control_checkpoint'))).toHaveLength(1);
  });

  it('is answered by the primary within seconds when the standby vanishes from the network without a word', async () => {
    await using toStandby = await TcpProxy.start(standby.port);
    const { replica, places } = await reader(toStandby.port);
    await until(async () => (await listed(replica)) === 0 && places.at(-1) === 'replica', { what: 'the standby' });
    toStandby.swallow();
    const begun = performance.now();
    expect(await listed(replica)).toBe(0);
    expect(places.at(-1)).toBe('failed');
    expect(performance.now() - begun).toBeLessThan(3_000);
  });
});

const atStandby = (statement: string): Promise<object[]> => standby.query(statement);

const promote = (): Promise<unknown> => atStandby('select pg_promote()');

const isStandby = async (at: SystemPostgres): Promise<boolean> =>
  at.query('select where pg_is_in_recovery()').then((rows) => rows.length > 0);

const standbyHas = async (count: number): Promise<boolean> =>
  atStandby('select from change').then(
    (rows) => rows.length === count,
    () => false,
  );
