import { appendFileSync } from 'node:fs';
import type { Mesh, Placement } from '../../deploy/local/mesh.js';
import { serviceDatabaseUrl } from '../../deploy/local/postgres-server.js';
import { TestMesh, type TestMeshOptions } from '../support/test-mesh.js';
import type { Network } from './network.js';

export interface NetworkedOptions extends TestMeshOptions {
  /** By which names the stores are known to the services; the address of the bridge by default. */
  storeName?: string;
  /** Over the settings of a process. */
  envOf?: (name: string) => Record<string, string>;
}

/** An installation whose services run each in a namespace of its own and reach Redis and PostgreSQL over its bridge. */
export function startNetworked(network: Network, options: NetworkedOptions = {}): Promise<TestMesh> {
  const { storeName = network.host, envOf = () => ({}), ...rest } = options;
  return TestMesh.start({
    ...rest,
    redisArgs: ['--bind', '127.0.0.1', network.host],
    postgresArgs: ['-c', `listen_addresses=127.0.0.1,${network.host}`],
    prepare: async (mesh) => {
      appendFileSync(mesh.state.file('postgres', 'pg_hba.conf'), `host all all ${network.range} scram-sha-256\n`);
      mesh.child('postgres').signal('SIGHUP');
    },
    place: (name, mesh) => {
      const place = network.placeOf(name);
      return { ...place, env: { ...overTheBridge(name, mesh, storeName), ...envOf(name), ...place.env } };
    },
  });
}

function overTheBridge(name: string, mesh: Mesh, storeName: string): NonNullable<Placement['env']> {
  const redis = new URL(mesh.brokerUrl);
  const [service = ''] = name.split('-');
  const password = mesh.secrets.databasePassword;
  const database = new URL(serviceDatabaseUrl({ port: mesh.postgresPort, directory: ',' }, service, password));
  database.hostname = storeName;
  const url = `redis://${storeName}:${redis.port}`;
  return {
    SLUICE_REDIS_BROKER_URL: url,
    SLUICE_REDIS_SESSION_URL: url,
    [`SLUICE_${service.toUpperCase()}_DATABASE_URL`]: database.href,
    SLUICE_METRICS_HOST: '0.0.0.0',
    SLUICE_GATEWAY_HOST: '0.0.0.0',
  };
}
