import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { StoredPage } from '#libs/contracts';
import { queryPrepared } from '#libs/database';
import { resultTables, type ResultTables } from '../database/result-tables.js';
import type { NewPage, NewSeal, Progress, RunTry, Standing, WritingState } from './writing.types.js';

interface ProgressRow {
  row_count: string;
  byte_count: string;
}

interface StandingRow extends ProgressRow {
  run_id: string;
  workspace_id: string;
  fence: number;
  closed_fence: number;
  state: WritingState;
  page_count: number;
  truncated: boolean;
  inline_checksum: Buffer | null;
}

interface PageRow extends ProgressRow {
  number: number;
  first_row: string;
  checksum: Buffer;
}

/**
 * What is written of a run's result. Each method is one statement and so one commit; each takes the lock of the
 * manifest's row and looks at its fences under it, which is what makes a fence final from the moment it is told.
 */
@Injectable()
export class WritingRepository {
  private readonly tables: ResultTables;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {
    this.tables = resultTables(dataSource);
  }

  /** Begins a result with its first page. Undefined where it was not taken. */
  async addFirstPage({ runId, workspaceId, fence, page, columns }: NewPage): Promise<Progress | undefined> {
    const rows: ProgressRow[] = await this.dataSource.query(
      `with taken as (
         insert into ${this.tables.manifest} as m (run_id, workspace_id, fence, state, columns, page_count, row_count, byte_count,
           stored_bytes)
         select $1, $2, $3, 'WRITING', $9::jsonb, 1, $6::integer, $7::bigint, $7::bigint
         where $4::integer = 0 and $5::bigint = 0
         on conflict (run_id) do update set
           fence = excluded.fence, state = 'WRITING', columns = excluded.columns, expires_at = null, created_at = now(),
           page_count = 1, row_count = excluded.row_count, byte_count = excluded.byte_count,
           stored_bytes = excluded.stored_bytes
         where m.state = 'NONE' and m.closed_fence < excluded.fence and m.workspace_id = excluded.workspace_id
         returning *
       ), ${storePage(this.tables.page)}
       select row_count, byte_count from taken`,
      [runId, workspaceId, fence, ...pageParameters(page), JSON.stringify(columns)],
    );
    return progressOf(rows);
  }

  /** Adds the next page to a result that has some. Undefined where it was not taken. */
  async addPage({ runId, workspaceId, fence, page }: NewPage): Promise<Progress | undefined> {
    const rows: ProgressRow[] = await this.dataSource.query(
      `with taken as (
         update ${this.tables.manifest} set
           page_count = page_count + 1, row_count = row_count + $6::integer, byte_count = byte_count + $7::bigint,
           stored_bytes = stored_bytes + $7::bigint
         where run_id = $1 and workspace_id = $2 and fence = $3 and closed_fence < $3
           and state = 'WRITING' and page_count = $4::integer and row_count = $5::bigint
         returning *
       ), ${storePage(this.tables.page)}
       select row_count, byte_count from taken`,
      [runId, workspaceId, fence, ...pageParameters(page)],
    );
    return progressOf(rows);
  }

  /** A whole result in one row. Undefined where it was not taken. */
  async sealInline(seal: NewSeal, ttlSeconds: number): Promise<Progress | undefined> {
    const rows = await queryPrepared<ProgressRow>(
      this.dataSource,
      `insert into ${this.tables.manifest} as m
         (run_id, workspace_id, fence, state, columns, row_count, byte_count, truncated, inline, expires_at,
         stored_bytes)
       values ($1, $2, $3, 'COMPLETE', $4::jsonb, $5, $6, $7, $8, now() + make_interval(secs => $9),
         octet_length($8::bytea))
       on conflict (run_id) do update set
         fence = excluded.fence, state = 'COMPLETE', columns = excluded.columns, row_count = excluded.row_count,
         byte_count = excluded.byte_count, truncated = excluded.truncated, inline = excluded.inline,
         expires_at = excluded.expires_at, stored_bytes = excluded.stored_bytes
       where m.state = 'NONE' and m.closed_fence < excluded.fence and m.workspace_id = excluded.workspace_id
       returning row_count, byte_count`,
      [
        ...[seal.runId, seal.workspaceId, seal.fence, JSON.stringify(seal.columns)],
        ...[seal.rowCount, seal.byteCount, seal.truncated, seal.inline, ttlSeconds],
      ],
    );
    return progressOf(rows);
  }

  /** Seals behind the last page. Undefined where it was not taken. */
  async sealPages(seal: NewSeal, ttlSeconds: number): Promise<Progress | undefined> {
    const rows: ProgressRow[] = await this.dataSource.query(
      `with sealed as (
         update ${this.tables.manifest} set
           state = 'COMPLETE', byte_count = $6, truncated = $7, expires_at = now() + make_interval(secs => $8)
         where run_id = $1 and workspace_id = $2 and fence = $3 and closed_fence < $3
           and state = 'WRITING' and page_count = $4 and row_count = $5
         returning row_count, byte_count
       )
       select row_count, byte_count from sealed`,
      [
        ...[seal.runId, seal.workspaceId, seal.fence, seal.pageCount],
        ...[seal.rowCount, seal.byteCount, seal.truncated, ttlSeconds],
      ],
    );
    return progressOf(rows);
  }

  /** Shuts out a fence and all older ones, and tells what was taken before. */
  async closeFence(closed: RunTry): Promise<Standing> {
    return this.close(closed, undefined);
  }

  /** The same for a run that has ended: what it has written is all there will be, and is kept as a part. */
  async closeRun(closed: RunTry, ttlSeconds: number): Promise<Standing> {
    return this.close(closed, ttlSeconds);
  }

  async standingOf(runId: string): Promise<Standing | undefined> {
    const [row]: StandingRow[] = await this.dataSource.query(
      `select ${standingColumns} from ${this.tables.manifest} where run_id = $1`,
      [runId],
    );
    return row && standingOf(row);
  }

  async pageOf({ runId, fence }: RunTry, number: number): Promise<StoredPage | undefined> {
    const [row]: PageRow[] = await this.dataSource.query(
      `select number, first_row, row_count, byte_count, checksum from ${this.tables.page}
       where run_id = $1 and fence = $2 and number = $3`,
      [runId, fence, number],
    );
    return row && { number: row.number, firstRow: Number(row.first_row), checksum: row.checksum, ...countsOf(row) };
  }

  private async close(closed: RunTry, endedTtlSeconds: number | undefined): Promise<Standing> {
    const [row]: StandingRow[] = await this.dataSource.query(
      `insert into ${this.tables.manifest} as m (run_id, workspace_id, closed_fence, state, expires_at)
       values ($1, $2, $3, 'NONE', now() + interval '${markAge}')
       on conflict (run_id) do update set
         closed_fence = greatest(m.closed_fence, excluded.closed_fence),
         state = case when $4::integer is not null and m.state = 'WRITING' then 'PARTIAL' else m.state end,
         expires_at = coalesce(m.expires_at, now() + make_interval(secs => $4::integer))
       where m.workspace_id = excluded.workspace_id
       returning ${standingColumns}`,
      [closed.runId, closed.workspaceId, closed.fence, endedTtlSeconds ?? null],
    );
    if (!row) throw new Error(`run ${closed.runId} is another workspace's`);
    return standingOf(row);
  }
}

/** A worker that has stood still for longer than a mark is kept is not coming back. */
const markAge = '30 days';

/** The page's row, written only where the manifest took it. Its parameters are the same in both statements. */
const storePage = (pages: string): string => `stored as (
  insert into ${pages} (run_id, fence, number, first_row, row_count, byte_count, checksum)
  select run_id, fence, $4::integer, $5::bigint, $6::integer, $7::bigint, $8::bytea from taken
)`;

function pageParameters(page: StoredPage): unknown[] {
  return [page.number, page.firstRow, page.rowCount, page.byteCount, page.checksum];
}

const standingColumns = `run_id, workspace_id, fence, closed_fence, state, page_count, row_count, byte_count,
  truncated, sha256(inline) as inline_checksum`;

function standingOf(row: StandingRow): Standing {
  return {
    runId: row.run_id,
    workspaceId: row.workspace_id,
    fence: row.fence,
    closedFence: row.closed_fence,
    state: row.state,
    pageCount: row.page_count,
    truncated: row.truncated,
    inlineChecksum: row.inline_checksum ?? undefined,
    ...countsOf(row),
  };
}

function progressOf([row]: readonly ProgressRow[]): Progress | undefined {
  return row && countsOf(row);
}

/** node-postgres gives bigint as text; counts stay far below 2^53. */
function countsOf(row: ProgressRow): Progress {
  return { rowCount: Number(row.row_count), byteCount: Number(row.byte_count) };
}
