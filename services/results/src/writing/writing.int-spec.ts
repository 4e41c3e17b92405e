import { createHash } from 'node:crypto';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Column, StoredPage } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { startPostgres, testPoolingExtra, type PostgresServer } from '#libs/testing';
import { migrations } from '../database/migrations/migrations.js';
import { WritingRepository } from './writing.repository.js';
import type { NewPage, NewSeal, RunTry } from './writing.types.js';

const columns: Column[] = [{ name: 'n', type: 'INTEGER', nullable: false }];
const ttlSeconds = 3_600;

let server: PostgresServer;
let dataSource: DataSource;
let repository: WritingRepository;
let run: RunTry;

beforeAll(async () => {
  server = await startPostgres();
  const url = await server.createDatabase();
  dataSource = await new DataSource({
    extra: testPoolingExtra,
    type: 'postgres',
    url,
    schema: 'results',
    poolSize: 20,
    migrations,
  }).initialize();
  await dataSource.query('create schema results');
  await dataSource.runMigrations();
  repository = new WritingRepository(dataSource);
});

afterAll(async () => {
  await dataSource.destroy();
  await server.stop();
});

beforeEach(() => {
  run = { workspaceId: newId('workspace'), runId: newId('run'), fence: 1 };
});

function pageAt(number: number, rowCount = 10): StoredPage {
  const checksum = createHash('sha256').update(`${number}`).digest();
  return { number, firstRow: number * rowCount, rowCount, byteCount: 100, checksum };
}

function newPage(number: number, of: RunTry = run): NewPage {
  return { ...of, page: pageAt(number), columns };
}

function newSeal(pageCount: number, inline?: Uint8Array, of: RunTry = run): NewSeal {
  return { ...of, columns, rowCount: pageCount * 10, byteCount: 77, truncated: false, pageCount, inline };
}

const add = (page: NewPage) => (page.page.number === 0 ? repository.addFirstPage(page) : repository.addPage(page));

describe('a page', () => {
  it('is taken only as the next one, from the row that the last one ended at', async () => {
    expect(await add(newPage(1))).toBeUndefined();
    expect(await add(newPage(0))).toEqual({ rowCount: 10, byteCount: 100 });
    expect(await add(newPage(0))).toBeUndefined();
    expect(await add(newPage(2))).toBeUndefined();
    expect(await add({ ...newPage(1), page: { ...pageAt(1), firstRow: 11 } })).toBeUndefined();
    expect(await add(newPage(1))).toEqual({ rowCount: 20, byteCount: 200 });
    expect(await repository.pageOf(run, 1)).toEqual(pageAt(1));
  });

  it('that is sent by many at once is taken once', async () => {
    const first = await Promise.all(Array.from({ length: 10 }, () => add(newPage(0))));
    expect(first.filter(Boolean)).toHaveLength(1);
    const second = await Promise.all(Array.from({ length: 10 }, () => add(newPage(1))));
    expect(second.filter(Boolean)).toHaveLength(1);
    expect(await repository.standingOf(run.runId)).toMatchObject({ pageCount: 2, rowCount: 20, byteCount: 200 });
  });

  it('of an older try is refused once a newer one has begun', async () => {
    await add(newPage(0, { ...run, fence: 2 }));
    expect(await add(newPage(0))).toBeUndefined();
    expect(await add(newPage(1))).toBeUndefined();
  });

  it('of a newer try is refused once rows of an older one could be read', async () => {
    await add(newPage(0));
    expect(await add(newPage(0, { ...run, fence: 2 }))).toBeUndefined();
    expect(
      await repository.sealInline(newSeal(0, Buffer.from('rows'), { ...run, fence: 2 }), ttlSeconds),
    ).toBeUndefined();
  });

  it('of another workspace is refused, whatever run it names', async () => {
    await repository.closeFence({ ...run, fence: 1 });
    const stranger = { ...run, workspaceId: newId('workspace'), fence: 2 };
    expect(await add(newPage(0, stranger))).toBeUndefined();
    await add(newPage(0, { ...run, fence: 2 }));
    expect(await add(newPage(1, stranger))).toBeUndefined();
    await expect(repository.closeFence(stranger)).rejects.toThrowError(/another workspace/);
  });
});

describe('a seal', () => {
  it('is taken once, behind the last page and with its count of rows', async () => {
    await add(newPage(0));
    expect(await repository.sealPages(newSeal(2), ttlSeconds)).toBeUndefined();
    expect(await repository.sealPages({ ...newSeal(1), rowCount: 9 }, ttlSeconds)).toBeUndefined();
    expect(await repository.sealPages(newSeal(1), ttlSeconds)).toEqual({ rowCount: 10, byteCount: 77 });
    expect(await repository.sealPages(newSeal(1), ttlSeconds)).toBeUndefined();
    expect(await add(newPage(1))).toBeUndefined();
  });

  it('of an inline result is one statement and leaves its rows in the manifest', async () => {
    const inline = Buffer.from('an encoded page');
    expect(await repository.sealInline({ ...newSeal(0, inline), rowCount: 3 }, ttlSeconds)).toEqual({
      rowCount: 3,
      byteCount: 77,
    });
    expect(await repository.sealInline({ ...newSeal(0, inline), rowCount: 3 }, ttlSeconds)).toBeUndefined();
    const standing = await repository.standingOf(run.runId);
    expect(standing).toMatchObject({ state: 'COMPLETE', pageCount: 0, rowCount: 3 });
    expect(standing?.inlineChecksum).toEqual(createHash('sha256').update(inline).digest());
  });
});

describe('a fence', () => {
  it('shuts out its own try and older ones, before anything has been written too', async () => {
    const standing = await repository.closeFence({ ...run, fence: 2 });
    expect(standing).toMatchObject({ state: 'NONE', pageCount: 0, rowCount: 0 });
    for (const fence of [1, 2]) {
      expect(await add(newPage(0, { ...run, fence }))).toBeUndefined();
      expect(await repository.sealInline(newSeal(0, Buffer.from('x'), { ...run, fence }), ttlSeconds)).toBeUndefined();
    }
    expect(await add(newPage(0, { ...run, fence: 3 }))).toBeDefined();
  });

  it('once closed stays closed when an older one is closed after it', async () => {
    await repository.closeFence({ ...run, fence: 2 });
    expect(await repository.closeFence({ ...run, fence: 1 })).toMatchObject({ closedFence: 2 });
  });

  it('tells what was taken before it, and leaves it there', async () => {
    await add(newPage(0));
    expect(await repository.closeFence(run)).toMatchObject({
      state: 'WRITING',
      pageCount: 1,
      rowCount: 10,
    });
    expect(await add(newPage(1))).toBeUndefined();
    expect(await repository.sealPages(newSeal(1), ttlSeconds)).toBeUndefined();
    expect(await repository.closeFence(run)).toMatchObject({ pageCount: 1, rowCount: 10 });
  });

  it('is final from its answer on: against pages and seals at full speed, the answer counts every one that was taken', async () => {
    for (let round = 0; round < 30; round++) {
      run = { ...run, runId: newId('run') };
      const writing = writeUntilRefused(round % 3 === 0 ? 4 : Infinity);
      for (let wait = 0; wait < round; wait++) await dataSource.query('select 1');
      const answer = await repository.closeFence(run);
      const taken = await writing;
      expect(answer.pageCount, `round ${round}`).toBe(taken.pages);
      expect(answer.state === 'COMPLETE', `round ${round}`).toBe(taken.sealed);
    }
  });

  async function writeUntilRefused(pageCount: number): Promise<{ pages: number; sealed: boolean }> {
    for (let number = 0; number < pageCount; number++) {
      if (!(await add(newPage(number)))) return { pages: number, sealed: false };
    }
    return { pages: pageCount, sealed: (await repository.sealPages(newSeal(pageCount), ttlSeconds)) !== undefined };
  }

  it('against an inline seal at the same moment: either it tells that it is sealed, or the seal is refused', async () => {
    for (let round = 0; round < 30; round++) {
      run = { ...run, runId: newId('run') };
      const [sealed, answer] = await Promise.all([
        repository.sealInline(newSeal(0, Buffer.from('rows')), ttlSeconds),
        repository.closeFence(run),
      ]);
      expect(answer.state === 'COMPLETE', `round ${round}`).toBe(sealed !== undefined);
    }
  });
});

describe('the end of a run', () => {
  it('keeps the rows that could be read as a part, and takes no more', async () => {
    await add(newPage(0));
    expect(await repository.closeRun(run, ttlSeconds)).toMatchObject({ state: 'PARTIAL', pageCount: 1, rowCount: 10 });
    expect(await add(newPage(1))).toBeUndefined();
    expect(await repository.sealPages(newSeal(1), ttlSeconds)).toBeUndefined();
  });

  it('told again changes nothing, not even the time that the rows are kept', async () => {
    await add(newPage(0));
    await repository.closeRun(run, ttlSeconds);
    const before: unknown = await dataSource.query('select * from results.manifest where run_id = $1', [run.runId]);
    await repository.closeRun(run, ttlSeconds * 2);
    expect(await dataSource.query('select * from results.manifest where run_id = $1', [run.runId])).toEqual(before);
  });

  it('leaves a sealed result complete', async () => {
    await repository.sealInline(newSeal(0, Buffer.from('rows')), ttlSeconds);
    expect(await repository.closeRun(run, ttlSeconds)).toMatchObject({ state: 'COMPLETE' });
  });
});
