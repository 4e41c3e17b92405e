import { createHash } from 'node:crypto';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Column, StoredPage } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { startPostgres, testPoolingExtra, type PostgresServer } from '#libs/testing';
import { migrations } from '../database/migrations/migrations.js';
import { WritingRepository } from '../writing/writing.repository.js';
import { locatePages, ManifestRepository } from './manifest.repository.js';
import { ManifestService } from './manifest.service.js';

const columns: Column[] = [
  { name: 'n', type: 'INTEGER', nullable: false },
  { name: 'n_2', type: 'TEXT', nullable: true },
];
const rowsPerPage = 7;
const pageCount = 5_000;
const total = rowsPerPage * pageCount;
const workspaceId = newId('workspace');
const paged = { workspaceId, runId: newId('run'), fence: 3 };
const inlined = { workspaceId, runId: newId('run'), fence: 1 };
const inline = Buffer.from('an encoded page');

let server: PostgresServer;
let dataSource: DataSource;
let writing: WritingRepository;
let service: ManifestService;

beforeAll(async () => {
  server = await startPostgres();
  const url = await server.createDatabase();
  dataSource = await new DataSource({
    type: 'postgres',
    url,
    schema: 'results',
    migrations,
    extra: testPoolingExtra,
  }).initialize();
  await dataSource.query('create schema results');
  await dataSource.runMigrations();
  writing = new WritingRepository(dataSource);
  service = new ManifestService(new ManifestRepository(dataSource));
  await writing.addFirstPage({ ...paged, page: pageAt(0), columns });
  await fillPages();
  const seal = { columns, byteCount: 9, truncated: true };
  await writing.sealPages({ ...paged, ...seal, rowCount: total, pageCount, inline: undefined }, 60);
  await writing.sealInline({ ...inlined, ...seal, rowCount: 2, pageCount: 0, inline }, 60);
});

afterAll(async () => {
  await dataSource.destroy();
  await server.stop();
});

function pageAt(number: number): StoredPage {
  const checksum = createHash('sha256').update(`${number}`).digest();
  return { number, firstRow: number * rowsPerPage, rowCount: rowsPerPage, byteCount: 50, checksum };
}

/** All pages but the first, by one statement: what is tested here is how they are found. */
async function fillPages(): Promise<void> {
  await dataSource.query(
    `insert into results.page
     select run_id, fence, n, n * row_count, row_count, byte_count, sha256(n::text::bytea)
     from results.page, generate_series(1, $1) as n`,
    [pageCount - 1],
  );
  await dataSource.query('update results.manifest set page_count = $1, row_count = $2', [pageCount, total]);
  await dataSource.query('analyze results.page');
}

async function numbersOf(fromRow: number, rowCount: number): Promise<number[]> {
  const { pages } = await service.locate(paged.runId, workspaceId, { fromRow, rowCount });
  return pages.map(({ number }) => number);
}

describe('a manifest', () => {
  it('comes with its inline rows, or without where they are not wanted', async () => {
    const [manifest] = await service.manifests([inlined.runId], workspaceId, true);
    expect(manifest).toMatchObject({ ...inlined, columns, state: 'COMPLETE', rowCount: 2, truncated: true, inline });
    const [bare] = await service.manifests([inlined.runId], workspaceId, false);
    expect(bare?.inline).toBeUndefined();
  });

  it('is not there for another workspace', async () => {
    const runIds = [paged.runId, inlined.runId, newId('run')];
    expect(await service.manifests(runIds, newId('workspace'), true)).toEqual([]);
    expect(await service.manifests(runIds, workspaceId, true)).toHaveLength(2);
  });

  it('is not there for a run that was only fenced', async () => {
    const fenced = { workspaceId, runId: newId('run'), fence: 1 };
    await writing.closeFence(fenced);
    expect(await service.manifests([fenced.runId], workspaceId, true)).toEqual([]);
  });

  it('past its time says so and gives no rows, whether a sweep has come by or not', async () => {
    const over = { workspaceId, runId: newId('run'), fence: 1 };
    await writing.sealInline(
      { ...over, columns, rowCount: 1, byteCount: 1, truncated: false, pageCount: 0, inline },
      -1,
    );
    const [manifest] = await service.manifests([over.runId], workspaceId, true);
    expect(manifest).toMatchObject({ state: 'EXPIRED', columns, rowCount: 1, inline: undefined });
    const reading = service.locate(over.runId, workspaceId, { fromRow: 0, rowCount: 1 });
    await expect(reading).rejects.toMatchObject({ code: 'result.expired' });
  });
});

describe('rows', () => {
  it('are found in the pages that hold them, wherever they begin', async () => {
    expect(await numbersOf(0, 1)).toEqual([0]);
    expect(await numbersOf(6, 2)).toEqual([0, 1]);
    expect(await numbersOf(7, 7)).toEqual([1]);
    expect(await numbersOf(10, 15)).toEqual([1, 2, 3]);
    expect(await numbersOf(total - 1, 10_000)).toEqual([pageCount - 1]);
  });

  it('behind the last are in no page, and the manifest still comes', async () => {
    const { manifest, pages } = await service.locate(paged.runId, workspaceId, { fromRow: total, rowCount: 1 });
    expect(pages).toEqual([]);
    expect(manifest).toMatchObject({ rowCount: total, fence: 3 });
  });

  it('of more than 64 pages are named 64 pages at a time', async () => {
    expect(await numbersOf(70, 10_000)).toEqual(Array.from({ length: 64 }, (_, index) => index + 10));
  });

  it('of an inline result come with the manifest and need no page', async () => {
    const { manifest, pages } = await service.locate(inlined.runId, workspaceId, { fromRow: 0, rowCount: 2 });
    expect(Buffer.from(manifest?.inline ?? [])).toEqual(inline);
    expect(pages).toEqual([]);
  });

  it('of another workspace are nowhere', async () => {
    const stranger = newId('workspace');
    expect(await service.locate(paged.runId, stranger, { fromRow: 0, rowCount: 1 })).toEqual({
      manifest: undefined,
      pages: [],
    });
  });

  it('at the end cost what rows at the beginning cost: a few index entries, and nothing is read to be thrown away', async () => {
    const [first, last] = [await planOf(0), await planOf(total - 1)];
    for (const plan of [first, last]) {
      expect(plan.nodes).not.toContain('Seq Scan');
      expect(plan.indexes).toEqual(['page_by_row', 'page_by_row']);
      expect(plan.rowsRemoved).toBe(0);
    }
    expect(last.buffers).toBeLessThanOrEqual(first.buffers + 2);
  });
});

interface PlanNode {
  'Node Type': string;
  'Index Name'?: string;
  'Rows Removed by Filter'?: number;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: PlanNode[];
}

async function planOf(fromRow: number) {
  const explain = `explain (analyze, buffers, format json) ${locatePages('results.page')}`;
  const [
    {
      'QUERY PLAN': [{ Plan: root }],
    },
  ]: [{ 'QUERY PLAN': [{ Plan: PlanNode }] }] = await dataSource.query(explain, [
    paged.runId,
    paged.fence,
    fromRow,
    fromRow + 1,
    64,
  ]);
  const nodes = flatten(root);
  return {
    nodes: nodes.map((node) => node['Node Type']),
    indexes: nodes.flatMap((node) => node['Index Name'] ?? []),
    rowsRemoved: nodes.reduce((sum, node) => sum + (node['Rows Removed by Filter'] ?? 0), 0),
    buffers: root['Shared Hit Blocks'] + root['Shared Read Blocks'],
  };
}

function flatten(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(flatten)];
}
