import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import { freePorts } from '../../deploy/local/free-port.js';
import type { Mesh } from '../../deploy/local/mesh.js';
import { postgresChild, serviceDatabaseUrl, superuserUrl } from '../../deploy/local/postgres-server.js';
import { waitForPostgres, withClient } from '../../deploy/local/postgres.js';
import { RunningMesh } from '../support/running-mesh.js';
import { TestMesh } from '../support/test-mesh.js';
import { noFaults, Trial } from './trial.js';

const closing = new AsyncDisposableStack();
let directory = '';
let standbyPort = 0;
let source: PostgresServer;
let started: TestMesh;
let mesh: RunningMesh;

/** A copy of the stopped server's files that follows it; from then on a commit waits for both. */
async function startStandby(primary: Mesh): Promise<void> {
  const files = primary.state.file('postgres');
  const copy = join(directory, 'standby');
  await primary.child('postgres').stop();
  execFileSync('cp', ['-a', files, copy]);
  // A file of the copy's own owner, which is not ours.
  execFileSync('cp', ['-a', join(copy, 'PG_VERSION'), join(copy, 'standby.signal')]);
  const conninfo = `host=127.0.0.1 port=${primary.postgresPort} user=postgres password=${primary.secrets.databasePassword}`;
  appendFileSync(join(copy, 'postgresql.auto.conf'), `primary_conninfo = '${conninfo}'\n`);
  primary.child('postgres').start();
  await waitForPostgres(primary.postgresUrl('postgres'));
  const standby = postgresChild({
    directory: copy,
    port: standbyPort,
    logFile: primary.state.file('log', 'standby.log'),
  });
  standby.start();
  closing.defer(() => standby.stop());
  await withClient(primary.postgresUrl('postgres'), async (client) => {
    await client.query(`alter system set synchronous_standby_names = '*'`);
    await client.query('select pg_reload_conf()');
    const isFollowed = async (): Promise<boolean> =>
      (await client.query(`select 1 from pg_stat_replication where sync_state = 'sync'`)).rowCount === 1;
    await until(isFollowed, { timeoutMs: 30_000, what: 'a standby that follows' });
  });
}

const standbyUrl = (database: string): string =>
  superuserUrl(standbyPort, started.mesh.secrets.databasePassword, database);

/** Both servers in one URL; the services take the one that can be written to. */
function twoHosts(name: string, { postgresPort, secrets }: Mesh): Record<string, string> {
  const [service = ''] = name.split('-');
  // A directory with a comma has no socket: the address is one of TCP.
  const url = serviceDatabaseUrl({ port: postgresPort, directory: ',' }, service, secrets.databasePassword);
  const both = url.replace(`:${postgresPort}/`, `:${postgresPort},127.0.0.1:${standbyPort}/`);
  return { [`SLUICE_${service.toUpperCase()}_DATABASE_URL`]: `${both}?target_session_attrs=read-write` };
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-standby-'));
  closing.defer(() => rmSync(directory, { recursive: true }));
  execFileSync('chmod', ['755', directory]);
  [standbyPort = 0] = await freePorts(1);
  source = closing.use(await startPostgres());
  started = await TestMesh.start({
    moreGateways: 1,
    moreWorkers: 1,
    prepare: startStandby,
    place: (name, of) => ({ env: twoHosts(name, of) }),
  });
  closing.use(started);
  mesh = closing.use(new RunningMesh(started.accessData));
});
afterAll(() => closing.disposeAsync());

describe('PostgreSQL with a replica that commits wait for', () => {
  test('is restarted, and is lost for its replica, and no promise is broken', async () => {
    const { reader } = mesh.access;
    const url = await source.createDatabase();
    await withClient(url, (client) =>
      client.query(`create role ${reader.user} login password ${pg.escapeLiteral(reader.password)}`),
    );
    const { pathname, port } = new URL(url);
    const options = { ...reader, port: Number(port), database: pathname.slice(1), ssl: { mode: 'disable' } };
    let isPromoted = false;
    const databaseUrl = (): string => (isPromoted ? standbyUrl('sluice') : mesh.access.sluiceDatabaseUrl);
    const trial = await Trial.begin({ name: 'PostgreSQL failover', mesh, source: { url, options }, databaseUrl });
    const postgres = started.mesh.child('postgres');
    await trial.outage('restart of PostgreSQL', async () => {
      await postgres.stop();
      postgres.start();
      await waitForPostgres(started.mesh.postgresUrl('postgres'));
    });
    await trial.outage('loss of the primary and promotion of the replica', async () => {
      await postgres.kill();
      await withClient(standbyUrl('postgres'), (client) => client.query('select pg_promote()'));
      isPromoted = true;
    });
    const { faults } = await trial.end();
    expect(faults).toEqual(noFaults);
  });
});
