import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { StoreHealth } from './store-health.service.js';

let server: PostgresServer;
let clients: pg.Client[];
let folder: string;

/** As from a machine of this address. */
class SocketFrom extends Socket {
  constructor(private readonly from: string) {
    super();
  }

  override connect(...args: unknown[]): this {
    const [port, host] = args;
    return super.connect({ port: Number(port), host: String(host), localAddress: this.from });
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-hba-'));
  const rules = join(folder, 'pg_hba.conf');
  await writeFile(rules, 'host all all 127.0.0.0/8 trust\n');
  // As root, PostgreSQL runs under a user of its own, who must be able to read it.
  await chmod(folder, 0o755);
  server = await startPostgres({ flags: ['-c', `hba_file=${rules}`] });
  clients = ['127.0.0.1', '127.0.0.2'].map(
    (from) =>
      new pg.Client({
        connectionString: server.url,
        application_name: 'sluice-results',
        stream: () => new SocketFrom(from),
      }),
  );
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()));
  await server.stop();
  await rm(folder, { recursive: true });
});

async function found(store: { kind: 'directory'; path: string } | { kind: 's3' }): Promise<string[]> {
  const query = async <Row>(sql: string): Promise<Row[]> => ((await clients[0]?.query(sql))?.rows ?? []) as Row[];
  // Of the settings of S3 only the kind is looked at.
  const config = { store } as ConstructorParameters<typeof StoreHealth>[1];
  const { findings, notChecked } = await new StoreHealth({ query }, config).examine();
  expect(notChecked).toEqual([]);
  return findings.map(({ what }) => what);
}

it('Results of several machines in a directory are a finding, in S3 they are none', async () => {
  const [one, other] = clients;
  await one?.connect();
  const directory = { kind: 'directory', path: '/results' } as const;
  expect(await found(directory)).toEqual([]);
  await other?.connect();
  expect(await found(directory)).toEqual(['The results of 2 machines lie in a directory.']);
  expect(await found({ kind: 's3' })).toEqual([]);
});
