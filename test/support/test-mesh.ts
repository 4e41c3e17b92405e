import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { administrator } from '../../deploy/local/administrator.ts';
import { dataDirectory } from '../../deploy/local/bundled-data.ts';
import { loadFlightsIntoPostgres, reader } from '../../deploy/local/flights.ts';
import { freePorts } from '../../deploy/local/free-port.ts';
import { Mesh, services, type MeshOptions } from '../../deploy/local/mesh.ts';
import { withClient } from '../../deploy/local/postgres.ts';
import { seedProvider } from '../../deploy/local/provider.ts';
import { seed } from '../../deploy/local/seed.ts';
import type { ApiAddress } from './api-client.js';
import type { MeshAccess } from './mesh-access.js';
import { quickSettings } from './quick-settings.js';

export interface TestMeshOptions {
  env?: Record<string, string>;
  redisArgs?: readonly string[];
  postgresArgs?: readonly string[];
  /** Gateways beside the first. */
  moreGateways?: number;
  moreWorkers?: number;
  /** All 3,000,000 rows in PostgreSQL take some seconds; without them flights_pg has the two tables, empty. */
  withFlights?: boolean;
  /** With the identity provider of `npm start -- --oidc`. */
  withIssuer?: boolean;
  /** The test's own, which it also takes away; else one that is made. */
  directory?: string;
  place?: MeshOptions['place'];
  /** Called when PostgreSQL and Redis run and no service does yet. */
  prepare?: (mesh: Mesh) => Promise<void>;
}

/** A whole installation of the test's own: real processes, free ports, a directory that goes with it. */
export class TestMesh implements AsyncDisposable {
  readonly gatewayNames = ['gateway'];
  readonly workerNames = ['worker'];
  private readonly gatewayPorts: number[] = [];
  /** Where to sign in through the identity provider, where there is one. */
  ssoUrl: string | undefined;
  private access: MeshAccess | undefined;
  private readonly killAll = (): void => {
    for (const child of this.mesh.children.values()) if (child.isRunning) child.signal('SIGKILL');
  };

  private constructor(
    readonly mesh: Mesh,
    readonly directory: string,
    port: number,
    private readonly ownsDirectory: boolean,
  ) {
    this.gatewayPorts.push(port);
    // A test process that ends early must not leave an installation behind.
    process.once('exit', this.killAll);
  }

  static async start(options: TestMeshOptions = {}): Promise<TestMesh> {
    const { env = {}, redisArgs, postgresArgs, place, moreGateways = 0, moreWorkers = 0 } = options;
    const { withFlights = false, withIssuer = false } = options;
    forgetSettings();
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'sluice-mesh-'));
    const [port = 0, ...others] = await freePorts(1 + moreGateways);
    const mesh = new Mesh({
      directory,
      gatewayPort: port,
      env: {
        ...quickSettings,
        SLUICE_WORKER_DUCKDB_DIRECTORIES: `${dataDirectory},${duckdbDirectory(directory)}`,
        ...env,
      },
      withIssuer,
      ...(redisArgs ? { redisArgs } : {}),
      ...(postgresArgs ? { postgresArgs } : {}),
      ...(place ? { place } : {}),
    });
    const started = new TestMesh(mesh, directory, port, options.directory === undefined);
    try {
      await mesh.startStores();
      await options.prepare?.(mesh);
      await Promise.all([mesh.startServices(), withFlights ? started.loadFlights() : started.makeEmptyFlights()]);
      for (const [index, other] of others.entries()) await started.addGateway(`${index + 2}`, other);
      for (let index = 0; index < moreWorkers; index += 1) {
        started.workerNames.push(await mesh.addInstance('worker', `${index + 2}`));
      }
      const { apiKey } = await seed(mesh);
      started.access = started.describe(apiKey);
      if (withIssuer) started.ssoUrl = (await seedProvider(mesh.state, await mesh.startIssuer())).ssoUrl;
      return started;
    } catch (error) {
      await started.stop({ keepsDirectory: true });
      throw error;
    }
  }

  /** What a test needs to know, as plain data that can cross to another process. */
  get accessData(): MeshAccess {
    if (!this.access) throw new Error('the installation has not been started');
    return this.access;
  }

  async stop({ keepsDirectory = false } = {}): Promise<void> {
    // A stopped process would not hear SIGTERM.
    for (const child of this.mesh.children.values()) if (child.isRunning) child.signal('SIGCONT');
    await this.mesh.stop();
    process.off('exit', this.killAll);
    if (this.ownsDirectory && !keepsDirectory) rmSync(this.directory, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private async addGateway(id: string, port: number): Promise<void> {
    this.gatewayNames.push(await this.mesh.addInstance('gateway', id, port));
    this.gatewayPorts.push(port);
  }

  private loadFlights(): Promise<void> {
    const { secrets, postgresPort: port } = this.mesh;
    return loadFlightsIntoPostgres({
      port,
      superuserPassword: secrets.databasePassword,
      readerPassword: secrets.readerPassword,
      temporaryFile: join(this.directory, 'flights.csv'),
    });
  }

  private async makeEmptyFlights(): Promise<void> {
    await withClient(this.mesh.postgresUrl('postgres'), async (client) => {
      await client.query('create database flights');
      await client.query(
        `create role ${reader} login password ${client.escapeLiteral(this.mesh.secrets.readerPassword)}`,
      );
      await client.query(`alter role ${reader} set default_transaction_read_only = on`);
    });
  }

  private describe(apiKey: string): MeshAccess {
    const { mesh } = this;
    const { databasePassword, redisPassword, readerPassword, adminPassword, ...keys } = mesh.secrets;
    return {
      gateways: this.gatewayPorts.map((port, index): ApiAddress => {
        const place = `${mesh.hostOf(this.gatewayNames[index] ?? 'gateway')}:${port}/graphql`;
        return { url: `http://${place}`, websocketUrl: `ws://${place}` };
      }),
      administrator: { ...administrator, password: adminPassword },
      apiKey,
      sluiceDatabaseUrl: mesh.postgresUrl('sluice'),
      flightsDatabaseUrl: mesh.postgresUrl('flights'),
      reader: {
        host: '127.0.0.1',
        port: mesh.postgresPort,
        database: 'flights',
        user: reader,
        password: readerPassword,
      },
      brokerUrl: mesh.brokerUrl,
      operationsUrls: Object.fromEntries(
        [...services, ...this.gatewayNames, ...this.workerNames].map((name) => [name, mesh.operationsUrl(name)]),
      ),
      directory: this.directory,
      duckdbDirectory: duckdbDirectory(this.directory),
      secrets: { databasePassword, redisPassword, readerPassword, adminPassword, ...keys },
    };
  }
}

const duckdbDirectory = (directory: string): string => join(directory, 'duckdb-files');

/** What a developer has set for an installation of their own must not reach this one, least of all a Redis to be flushed. */
function forgetSettings(): void {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('SLUICE_') && !/^SLUICE_(TEST|CHAOS|POLICY)_/.test(name))
      Reflect.deleteProperty(process.env, name);
  }
}
