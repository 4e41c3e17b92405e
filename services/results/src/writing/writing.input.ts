import type { RequestOf, resultsRequests, StoredPage } from '#libs/contracts';
import { AppError, isId } from '#libs/kernel';
import { inlineBytesMax } from '#libs/result-store';
import type { NewPage, NewSeal, RunTry } from './writing.types.js';

// A worker is trusted to be itself, not to be without a fault: what would break the page table is refused at the door.

export function parseTry({ workspaceId, runId, fence }: RunTry): RunTry {
  check(isId('workspace', workspaceId), 'workspaceId', 'is not the id of a workspace');
  check(isId('run', runId), 'runId', 'is not the id of a run');
  check(fence >= 1, 'fence', 'begins at 1');
  return { workspaceId, runId, fence };
}

export function parsePage(input: RequestOf<typeof resultsRequests.commitPage>): NewPage {
  const { page, columns } = input;
  if (!page) throw invalid('page', 'is missing');
  checkPage(page);
  check(page.number > 0 || columns.length > 0, 'columns', 'come with the first page');
  return { ...parseTry(input), page, columns };
}

export function parseSeal(input: RequestOf<typeof resultsRequests.sealResult>): NewSeal {
  const { columns, rowCount, byteCount, truncated, pageCount, inline } = input;
  check(columns.length > 0, 'columns', 'are missing');
  check(rowCount >= 0 && byteCount >= 0 && pageCount >= 0, 'rowCount', 'cannot be negative');
  check((inline === undefined) === pageCount > 0, 'inline', 'holds the rows exactly where no page does');
  check((inline?.byteLength ?? 0) <= inlineBytesMax, 'inline', `is at most ${inlineBytesMax} bytes`);
  return { ...parseTry(input), columns, rowCount, byteCount, truncated, pageCount, inline };
}

function checkPage(page: StoredPage): void {
  check(page.number >= 0 && page.firstRow >= 0, 'page', 'has no place');
  check(page.rowCount > 0 && page.byteCount > 0, 'page', 'is empty');
  check(page.checksum.byteLength === 32, 'page', 'has no SHA-256');
}

function check(isRight: boolean, name: string, fault: string): void {
  if (!isRight) throw invalid(name, fault);
}

function invalid(name: string, fault: string): AppError {
  return new AppError('input.invalid', `${name} ${fault}.`, { path: [name] });
}
