import pg from 'pg';
import { inject } from 'vitest';
import { ApiClient } from './api-client.js';
import { findDataSource, type DataSource } from './data-sources.js';
import type { MeshAccess } from './mesh-access.js';
import { signedIn } from './people.js';

declare module 'vitest' {
  export interface ProvidedContext {
    mesh: MeshAccess;
  }
}

/** An installation as a test sees it: callers at its gateways, and the two databases for what no caller may see. */
export class RunningMesh implements AsyncDisposable {
  readonly anonymous: ApiClient;
  /** The administrator with an API key, which does not expire in the middle of a test. */
  readonly admin: ApiClient;
  private readonly pools: pg.Pool[] = [];
  private sluicePool: pg.Pool | undefined;
  private warehousePool: pg.Pool | undefined;

  constructor(readonly access: MeshAccess) {
    this.anonymous = new ApiClient(this.address(0));
    this.admin = this.anonymous.as(`Key ${access.apiKey}`);
  }

  address(gateway: number): { url: string; websocketUrl: string } {
    const address = this.access.gateways[gateway];
    if (!address) throw new Error(`there are ${this.access.gateways.length} gateways`);
    return address;
  }

  get origin(): string {
    return new URL(this.address(0).url).origin;
  }

  /** A new session of the administrator. */
  signInAdmin(): Promise<ApiClient> {
    return signedIn(this.anonymous, this.access.administrator);
  }

  source(name: 'flights' | 'flights_pg'): Promise<DataSource> {
    return findDataSource(this.admin, name);
  }

  /** The database of the services, as superuser. */
  get sluice(): pg.Pool {
    this.sluicePool ??= this.pool(this.access.sluiceDatabaseUrl);
    return this.sluicePool;
  }

  /** The database that flights_pg reads, as superuser. */
  get warehouse(): pg.Pool {
    this.warehousePool ??= this.pool(this.access.flightsDatabaseUrl);
    return this.warehousePool;
  }

  async close(): Promise<void> {
    await Promise.all(this.pools.map((pool) => pool.end()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private pool(connectionString: string): pg.Pool {
    const pool = new pg.Pool({ connectionString, max: 3, connectionTimeoutMillis: 5_000 });
    // A server that is restarted on purpose ends idle connections.
    pool.on('error', () => undefined);
    this.pools.push(pool);
    return pool;
  }
}

/** The installation that the e2e run has started once for all its files. */
export function sharedMesh(): RunningMesh {
  return new RunningMesh(inject('mesh'));
}
