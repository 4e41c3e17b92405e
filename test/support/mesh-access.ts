import type { ApiAddress } from './api-client.js';
import type { LocalSecrets } from '../../deploy/local/state-directory.ts';

/** Where an installation is and what opens it; plain data. */
export interface MeshAccess {
  gateways: ApiAddress[];
  administrator: { email: string; workspace: string; password: string };
  apiKey: string;
  /** The services' own database, and the warehouse, both as superuser. */
  sluiceDatabaseUrl: string;
  flightsDatabaseUrl: string;
  /** The role that flights_pg is read by. */
  reader: { host: string; port: number; database: string; user: string; password: string };
  brokerUrl: string;
  operationsUrls: Record<string, string>;
  directory: string;
  /** Where a test may put the files of a DuckDB source; made by whoever puts one there. */
  duckdbDirectory: string;
  secrets: LocalSecrets;
  /** Where the spans of the installation can be read; see OtlpReceiver. */
  spansUrl?: string;
}
