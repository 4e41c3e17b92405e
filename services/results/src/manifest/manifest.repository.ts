import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Column, ManifestState, StoredPage } from '#libs/contracts';
import { resultTables, type ResultTables } from '../database/result-tables.js';
import type { RowRange, StoredManifest } from './manifest.types.js';

interface ManifestRow {
  run_id: string;
  workspace_id: string;
  fence: number;
  state: ManifestState;
  columns: Column[];
  page_count: number;
  row_count: string;
  byte_count: string;
  truncated: boolean;
  expires_at: Date | null;
  inline: Buffer | null;
}

interface PageRow {
  number: number;
  first_row: string;
  row_count: number;
  byte_count: string;
  checksum: Buffer;
}

/** The most pages that one answer names. */
const pagesMax = 64;

/** What can be read of results. */
@Injectable()
export class ManifestRepository {
  private readonly tables: ResultTables;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {
    this.tables = resultTables(dataSource);
  }

  /** Those of the runs that are the workspace's and have written anything. Past its time a result is expired, swept or not. */
  async find(runIds: readonly string[], workspaceId: string, withInline: boolean): Promise<StoredManifest[]> {
    const rows: ManifestRow[] = await this.dataSource.query(
      `select run_id, workspace_id, fence, columns, page_count, row_count, byte_count, truncated, expires_at,
         case when is_over then 'EXPIRED' else state end as state,
         case when $3 and not is_over then inline end as inline
       from (select *, coalesce(expires_at <= now(), false) as is_over from ${this.tables.manifest}) as m
       where run_id = any($1) and state <> 'NONE' and workspace_id = $2`,
      [runIds, workspaceId, withInline],
    );
    return rows.map(manifestOf);
  }

  /**
   * The pages that hold these rows, at most 64, found from the last page that begins at or before the first of them:
   * one descent of the index, however far into the result.
   */
  async locate(runId: string, fence: number, { fromRow, rowCount }: RowRange): Promise<StoredPage[]> {
    const rows: PageRow[] = await this.dataSource.query(locatePages(this.tables.page), [
      runId,
      fence,
      fromRow,
      fromRow + rowCount,
      pagesMax,
    ]);
    return rows.map(pageOf);
  }
}

/**
 * Takes run, fence, first row, the row behind the last and the most pages. The place is found in the index by
 * (run_id, fence, first_row), once backwards for the first page and then forwards.
 */
export function locatePages(pages: string): string {
  return `
    select number, first_row, row_count, byte_count, checksum from ${pages}
    where run_id = $1 and fence = $2 and first_row < $4
      and first_row >= coalesce((
        select first_row from ${pages} where run_id = $1 and fence = $2 and first_row <= $3
        order by first_row desc limit 1
      ), 0)
    order by first_row
    limit $5`;
}

function manifestOf(row: ManifestRow): StoredManifest {
  return {
    pageCount: row.page_count,
    manifest: {
      runId: row.run_id,
      workspaceId: row.workspace_id,
      fence: row.fence,
      state: row.state,
      columns: row.columns,
      rowCount: Number(row.row_count),
      byteCount: Number(row.byte_count),
      truncated: row.truncated,
      expiresAt: row.expires_at ?? undefined,
      inline: row.inline ?? undefined,
    },
  };
}

function pageOf(row: PageRow): StoredPage {
  return {
    number: row.number,
    firstRow: Number(row.first_row),
    rowCount: row.row_count,
    byteCount: Number(row.byte_count),
    checksum: row.checksum,
  };
}
