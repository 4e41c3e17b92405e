import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { DuckdbConnector } from '../duckdb/duckdb-connector.js';
import { PostgresConnector } from '../postgres/postgres-connector.js';
import type { Connector, OpenedSource } from './connector.js';

interface Row {
  readonly sourceType: string;
  readonly type: string;
  readonly sql: string;
  readonly json: string;
}

const page = await readFile(resolve(import.meta.dirname, '../../../../docs/types.md'), 'utf8');

/** The rows of the table under a heading; SQL and JSON stand between backticks. */
function tableUnder(heading: string): Row[] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| Source type'))
    .map((line) => {
      const [sourceType = '', type = '', sql = '', json = ''] = line.slice(2, -2).split(' | ');
      return { sourceType, type, sql: code(sql), json: code(json) };
    });
}

function code(cell: string): string {
  return cell.trim().replace(/^`+ ?|`+$/g, '');
}

const asker = { workspaceId: 'wsp_1', submittedById: 'usr_1' };
let runs = 0;
async function comesOut(
  connector: Connector,
  source: OpenedSource,
  { sql }: Row,
): Promise<{ type: unknown; row: unknown }> {
  runs += 1;
  const session = await connector.open(source, { runId: `run_${runs}`, ...asker, timeoutMs: 10_000 });
  try {
    const stream = await session.query(`select ${sql} as value`);
    return { type: stream.columns[0]?.type, row: (await stream.next())?.rows[0] };
  } finally {
    await session.close();
  }
}

describe('PostgreSQL: what docs/types.md says comes out', () => {
  let server: PostgresServer;
  let source: OpenedSource;
  const connector = new PostgresConnector({ connectTimeoutMs: 5_000, idleMax: 1, idleMs: 60_000, trustedMs: 1_000 });

  beforeAll(async () => {
    server = await startPostgres();
    const url = new URL(await server.createDatabase());
    const admin = new pg.Client({ connectionString: url.href });
    await admin.connect();
    await admin.query(`
      create type mood as enum ('sad', 'glad'); create domain cents as integer; create type pair as (a int, b int);
      alter database ${url.pathname.slice(1)} set datestyle = 'German';
      alter database ${url.pathname.slice(1)} set intervalstyle = 'sql_standard';
      alter database ${url.pathname.slice(1)} set timezone = 'Asia/Kathmandu';
      alter database ${url.pathname.slice(1)} set bytea_output = 'escape';
      alter database ${url.pathname.slice(1)} set extra_float_digits = -5;`);
    await admin.end();
    source = {
      id: 'src_1',
      version: 1,
      options: {
        host: url.hostname,
        port: Number(url.port),
        database: url.pathname.slice(1),
        user: url.username,
        password: url.password,
      },
    };
  });
  afterAll(async () => {
    await connector.close();
    await server.stop();
  });

  it.each(tableUnder('PostgreSQL'))('$sourceType: $sql is $json', async (row) => {
    expect(await comesOut(connector, source, row)).toEqual({ type: row.type, row: `[${row.json}]` });
  });

  it('says something of every column type', () => {
    const types = new Set(tableUnder('PostgreSQL').map(({ type }) => type));
    expect(types.size).toBe(16);
  });
});

describe('DuckDB: what docs/types.md says comes out', () => {
  const data = resolve(import.meta.dirname, '../../../../node_modules/vega-datasets/data');
  const limits = {
    ...{ directories: [data], memoryMb: 128, threads: 1 },
    ...{ spillDirectory: join(tmpdir(), 'sluice-types-spill'), spillMb: 64 },
  };
  const connector = new DuckdbConnector('worker-1', limits, 60_000);
  const source: OpenedSource = {
    id: 'src_1',
    version: 1,
    options: { tables: { flights: { parquet: join(data, 'flights-3m.parquet') } } },
  };
  afterAll(() => connector.close());

  it.each(tableUnder('DuckDB'))('$sourceType: $sql is $json', async (row) => {
    expect(await comesOut(connector, source, row)).toEqual({ type: row.type, row: `[${row.json}]` });
  });

  it('holds for a value of every type that the engine knows, and for the ends of their ranges', async () => {
    const session = await connector.open(source, { runId: 'run_all', ...asker, timeoutMs: 10_000 });
    const stream = await session.query('select * from test_all_types()');
    const rows = (await stream.next())?.rows ?? [];
    expect(rows).toHaveLength(3);
    for (const row of rows) expect(JSON.parse(row)).toHaveLength(stream.columns.length);
    expect(JSON.parse(rows[2] ?? '')).toEqual(stream.columns.map(() => null));
    await session.close();
  });
});
