import { setTimeout } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import pg from 'pg';
import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm';
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from 'vitest';
import { CONFIG, databaseSettings, loadConfig } from '#libs/config';
import { dataSourceChanged, envelopeCodec } from '#libs/contracts';
import { AppLogger, HealthRegistry, MetricsRegistry } from '#libs/telemetry';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import {
  createMessageTables,
  databaseModule,
  dropMessageTables,
  InboxRepository,
  inTransaction,
  isUniqueViolation,
  OutboxRepository,
  OutboxStore,
  queryPrepared,
  type DatabaseSettings,
} from './index.js';

class CreateTables1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await createMessageTables(runner, 'metadata');
    await runner.query('create table metadata.counter (id text primary key, value integer not null)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table metadata.counter');
    await dropMessageTables(runner, 'metadata');
  }
}

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

let url: string;
const opened: TestingModule[] = [];
beforeEach(async () => {
  url = await server.createDatabase();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((app) => app.close()));
});

async function open(settings: Partial<DatabaseSettings> = {}): Promise<TestingModule> {
  const defaults = loadConfig(databaseSettings('metadata'), { SLUICE_DATABASE_URL: url });
  const config = { database: { ...defaults, poolMax: 4, poolMin: 0, ...settings } };
  const metrics = new MetricsRegistry('metadata');
  const logger = AppLogger.create({ service: 'metadata', instance: 'm1', level: 'silent' });
  class SharedModule {}
  Module({})(SharedModule);
  const app = await Test.createTestingModule({
    imports: [
      {
        module: SharedModule,
        global: true,
        providers: [
          { provide: CONFIG, useValue: config },
          { provide: AppLogger, useValue: logger },
          { provide: MetricsRegistry, useValue: metrics },
          { provide: HealthRegistry, useValue: new HealthRegistry() },
        ],
        exports: [CONFIG, AppLogger, MetricsRegistry, HealthRegistry],
      },
      databaseModule({ entities: [], migrations: [CreateTables1700000000000] }),
    ],
  }).compile();
  await app.init();
  opened.push(app);
  return app;
}

const context = { workspaceId: 'wsp_1', requestId: 'req_1' };
const change = (version: number) => ({
  workspaceId: 'wsp_1',
  dataSourceId: 'src_1',
  version,
  maxConcurrentExecutions: 4,
  paused: false,
  deleted: false,
  type: 'postgres',
});

async function addEvents(app: TestingModule, count: number): Promise<void> {
  await inTransaction(app.get(DataSource), async (manager) => {
    for (let version = 1; version <= count; version += 1) {
      await app.get(OutboxRepository).add(manager, dataSourceChanged, change(version), context);
    }
  });
}

describe('databaseModule', () => {
  it('migrates once when several instances start together', async () => {
    const apps = await Promise.all([open(), open(), open()]);
    const [app] = apps;
    const rows = await app?.get(DataSource).query<unknown[]>('select * from metadata.migration');
    expect(rows).toHaveLength(1);
  });

  it('migrates a schema that an administrator made for a role that may make none', async () => {
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    const database = new URL(url).pathname.slice(1);
    await admin.query(`create role little_${database} login password 'a:b@c/%'`);
    await admin.query(`create schema metadata authorization little_${database}`);
    await admin.end();
    const address = new URL(url);
    address.username = `little_${database}`;
    address.password = '';
    const app = await open({ url: address.href, password: 'a:b@c/%' });
    expect(await app.get(DataSource).query('select count(*)::int as rows from metadata.counter')).toEqual([
      { rows: 0 },
    ]);
  });

  it('leaves nothing of a migration that fails', async () => {
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    await admin.query('create schema metadata');
    await admin.query('create table metadata.counter (id text)');
    await expect(open()).rejects.toThrow(/already exists/);
    const { rows } = await admin.query("select tablename from pg_tables where schemaname = 'metadata'");
    expect(rows).toEqual([{ tablename: 'counter' }]);
    await admin.end();
  });

  it('names itself at the server and bounds every statement, lock and idle transaction', async () => {
    const app = await open();
    const [row]: Record<string, string>[] = await app.get(DataSource).query(
      `select current_setting('application_name') as name, current_setting('statement_timeout') as statement,
              current_setting('lock_timeout') as lock, current_setting('idle_in_transaction_session_timeout') as idle`,
    );
    expect(row).toEqual({ name: 'sluice-metadata', statement: '15s', lock: '5s', idle: '15s' });
  });

  it('tells how its pool is used and who waits', async () => {
    const app = await open({ poolMax: 1 });
    const dataSource = app.get(DataSource);
    const { registry } = app.get(MetricsRegistry);
    const value = async (name: string, labels: object = {}): Promise<number | undefined> =>
      (await registry.getSingleMetric(`sluice_metadata_${name}`)?.get())?.values.find((each) =>
        Object.entries(labels).every(([label, text]) => Reflect.get(each.labels, label) === text),
      )?.value;
    const runner = dataSource.createQueryRunner();
    await runner.connect();
    const waiting = dataSource.query('select 1');
    expect(await value('database_connections', { state: 'used' })).toBe(1);
    expect(await value('database_waiting_requests')).toBe(1);
    await runner.release();
    await waiting;
    expect(await value('database_connections', { state: 'idle' })).toBe(1);
    expect(await registry.metrics()).toContain('sluice_metadata_database_connection_wait_seconds_count');
  });

  it('keeps as many connections as it is told to though nobody needs them, and ends those beyond', async () => {
    const dataSource = (await open({ poolMin: 2, poolIdleSeconds: 1 })).get(DataSource);
    const connections = async (): Promise<number> => {
      const [row]: { n: number }[] = await dataSource.query(
        `select count(*)::integer as n from pg_stat_activity where application_name = 'sluice-metadata'
           and datname = current_database()`,
      );
      return row?.n ?? 0;
    };
    await Promise.all(Array.from({ length: 4 }, () => dataSource.query('select pg_sleep(0.2)')));
    expect(await connections()).toBe(4);
    await until(async () => (await connections()) === 2, { what: 'the end of two connections' });
    await setTimeout(1_500);
    expect(await connections()).toBe(2);
  });

  it('is ready while the database answers', async () => {
    const app = await open();
    expect(await app.get(HealthRegistry).readiness()).toEqual({ ok: true, checks: { database: { ok: true } } });
  });

  it('refuses to start with a wrong password, at once', async () => {
    const address = new URL(url);
    address.username = 'nobody';
    await expect(open({ url: address.href })).rejects.toThrow();
  });
});

describe('the outbox', () => {
  it('holds an event exactly when its transaction commits, and says so once', async () => {
    const app = await open();
    const store = app.get(OutboxStore);
    let commits = 0;
    const stop = store.onCommitted(() => (commits += 1));
    await addEvents(app, 2);
    await expect(
      inTransaction(app.get(DataSource), async (manager) => {
        await app.get(OutboxRepository).add(manager, dataSourceChanged, change(9), context);
        throw new Error('changed its mind');
      }),
    ).rejects.toThrow('changed its mind');
    await inTransaction(app.get(DataSource), (manager) => manager.query('select 1'));
    expect(commits).toBe(1);
    expect((await store.backlog()).unpublished).toBe(2);
    stop();
    await addEvents(app, 1);
    expect(commits).toBe(1);
  });

  it('refuses an event outside of a transaction', async () => {
    const app = await open();
    await expect(
      app.get(OutboxRepository).add(app.get(DataSource).manager, dataSourceChanged, change(1), context),
    ).rejects.toThrow(/outside of a transaction/);
  });

  it('keeps the envelope as it will be told: the message, for whom, and the service as its actor', async () => {
    const app = await open();
    await addEvents(app, 1);
    await app.get(OutboxStore).publishNext(10, async ([message]) => {
      const envelope = envelopeCodec.decode(message?.envelope ?? new Uint8Array());
      expect(envelope).toMatchObject({
        id: message?.messageId,
        kind: 'EVENT',
        type: dataSourceChanged.type,
        workspaceId: 'wsp_1',
        requestId: 'req_1',
        actor: { kind: { case: 'service', value: 'metadata' } },
      });
      expect(dataSourceChanged.codec.decode(envelope.payload)).toEqual(change(1));
    });
  });

  it('gives events in order, each batch once, and again what could not be published', async () => {
    const app = await open();
    await addEvents(app, 5);
    const store = app.get(OutboxStore);
    const told: number[] = [];
    const publish = async (messages: readonly { sequence: number }[]): Promise<void> => {
      told.push(...messages.map((message) => message.sequence));
    };
    await expect(store.publishNext(2, () => Promise.reject(new Error('Redis is away')))).rejects.toThrow('Redis');
    while ((await store.publishNext(2, publish)) > 0);
    expect(told).toEqual([1, 2, 3, 4, 5]);
    expect((await store.listPublished('metadata', 2, 2)).map((message) => message.sequence)).toEqual([3, 4]);
    expect(await store.listPublished('run', 0, 10)).toEqual([]);
  });

  it('lets one instance publish at a time, so that the order holds', async () => {
    const [first, second] = [await open(), await open()];
    await addEvents(first, 2);
    await first.get(OutboxStore).publishNext(1, async () => {
      expect(await second.get(OutboxStore).publishNext(1, () => Promise.reject(new Error('both publish')))).toBe(0);
    });
    expect(await second.get(OutboxStore).publishNext(5, async () => {})).toBe(1);
  });

  it('forgets what was published more than a day ago, and never what was not', async () => {
    const app = await open();
    await addEvents(app, 3);
    const store = app.get(OutboxStore);
    await store.publishNext(2, async () => {});
    await app
      .get(DataSource)
      .query(
        "update metadata.outbox set created_at = now() - interval '2 days', published_at = published_at - interval '25 hours' where sequence <> 2",
      );
    expect(await store.purge(10)).toBe(1);
    expect(await app.get(DataSource).query('select sequence from metadata.outbox order by 1')).toEqual([
      { sequence: '2' },
      { sequence: '3' },
    ]);
  });
});

describe('the inbox', () => {
  it('lets an effect happen once, and again when the first one was rolled back', async () => {
    const app = await open();
    const [dataSource, inbox] = [app.get(DataSource), app.get(InboxRepository)];
    const take = (fails = false) =>
      inTransaction(dataSource, async (manager) => {
        const isFirst = await inbox.once(manager, 'msg_1');
        if (fails) throw new Error('no effect');
        return isFirst;
      });
    await expect(take(true)).rejects.toThrow('no effect');
    expect([await take(), await take()]).toEqual([true, false]);
  });

  it('gives an event that comes twice at the same time to one of the two', async () => {
    const app = await open();
    const take = () => inTransaction(app.get(DataSource), (manager) => app.get(InboxRepository).once(manager, 'msg_2'));
    expect((await Promise.all([take(), take(), take()])).filter(Boolean)).toHaveLength(1);
  });

  it('forgets after a week', async () => {
    const app = await open();
    const [dataSource, inbox] = [app.get(DataSource), app.get(InboxRepository)];
    await dataSource.query("insert into metadata.inbox values ('old', now() - interval '8 days'), ('new', now())");
    expect(await inbox.purge(dataSource.manager, 10)).toBe(1);
    expect(await dataSource.query('select message_id from metadata.inbox')).toEqual([{ message_id: 'new' }]);
  });
});

describe('inTransaction', () => {
  it('does the work again after a deadlock, so that both come through', async () => {
    const app = await open();
    const dataSource = app.get(DataSource);
    await dataSource.query("insert into metadata.counter values ('a', 0), ('b', 0)");
    let begun = 0;
    const raise = (first: string, second: string) =>
      inTransaction(dataSource, async (manager) => {
        const add = 'update metadata.counter set value = value + 1 where id = $1';
        await manager.query(add, [first]);
        begun += 1;
        await until(() => begun >= 2);
        await manager.query(add, [second]);
      });
    await Promise.all([raise('a', 'b'), raise('b', 'a')]);
    expect(await dataSource.query('select value from metadata.counter')).toEqual([{ value: 2 }, { value: 2 }]);
    expect(begun).toBeGreaterThan(2);
  });

  it('passes every other fault on, and tells which index refused a row', async () => {
    const app = await open();
    const insert = "insert into metadata.counter values ('a', 0)";
    await app.get(DataSource).query(insert);
    const failure: unknown = await inTransaction(app.get(DataSource), (manager) => manager.query(insert)).catch(
      (error: unknown) => error,
    );
    expect(isUniqueViolation(failure, 'counter_pkey')).toBe(true);
    expect(isUniqueViolation(failure, 'another')).toBe(false);
  });
});

describe('queryPrepared', () => {
  const text = 'select $1::integer as value';

  it('has a statement parsed once per connection', async () => {
    const dataSource = (await open({ poolMax: 1 })).get(DataSource);
    for (const value of [1, 2, 3]) expect(await queryPrepared(dataSource, text, [value])).toEqual([{ value }]);
    const prepared = await dataSource.query('select generic_plans + custom_plans as uses from pg_prepared_statements');
    expect(prepared).toEqual([{ uses: '3' }]);
  });

  it('is part of the transaction that it is asked in', async () => {
    const dataSource = (await open()).get(DataSource);
    const insert = `insert into metadata.counter values ($1, 1) returning id`;
    const work = inTransaction(dataSource, async (manager) => {
      expect(await queryPrepared(manager, insert, ['a'])).toEqual([{ id: 'a' }]);
      throw new Error('undone');
    });
    await expect(work).rejects.toThrow('undone');
    expect(await dataSource.query('select * from metadata.counter')).toEqual([]);
  });

  it('tells what the server refused, and gives its connection back', async () => {
    const dataSource = (await open({ poolMax: 1 })).get(DataSource);
    const insert = `insert into metadata.counter values ($1, 1)`;
    await queryPrepared(dataSource, insert, ['a']);
    const failure: unknown = await queryPrepared(dataSource, insert, ['a']).catch((error: unknown) => error);
    expect(isUniqueViolation(failure, 'counter_pkey')).toBe(true);
    expect(await queryPrepared(dataSource, text, [4])).toEqual([{ value: 4 }]);
  });
});
