import type { StoredPage } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import type { NewPage, NewSeal, RunTry, Standing } from './writing.types.js';

/**
 * Why something was not taken, found out afterwards, off the path of what goes well. 'repeated': it had been taken
 * before, so the caller is told that it was. 'closed': the run is not that try's any more.
 */
export type Refusal = 'repeated' | 'closed';

/** @throws AppError where the page is neither, and so does not follow on the last one */
export function refusalOfPage(asked: NewPage, standing: Standing | undefined, stored: StoredPage | undefined): Refusal {
  if (!standing || isClosedTo(asked, standing)) return standing ? 'closed' : outOfOrder(asked.page, 0);
  if (stored && isSamePage(asked.page, stored)) return 'repeated';
  return standing.state === 'PARTIAL' ? 'closed' : outOfOrder(asked.page, standing.pageCount);
}

/** @throws AppError where the result was sealed as another, or does not end at its last page */
export function refusalOfSeal(
  asked: NewSeal,
  inlineChecksum: Uint8Array | undefined,
  standing: Standing | undefined,
): Refusal {
  if (standing && isClosedTo(asked, standing)) return 'closed';
  if (standing?.state === 'PARTIAL') return 'closed';
  if (standing?.state === 'COMPLETE' && isSameSeal(asked, inlineChecksum, standing)) return 'repeated';
  throw broken(
    standing?.state === 'COMPLETE'
      ? 'the result is sealed and is another'
      : `${asked.pageCount} pages with ${asked.rowCount} rows were sealed, ` +
          `${standing?.pageCount ?? 0} with ${standing?.rowCount ?? 0} are there`,
  );
}

/** True where another try writes, has written, or may still: whatever this one does comes too late. */
function isClosedTo(asked: RunTry, standing: Standing): boolean {
  if (asked.workspaceId !== standing.workspaceId) throw broken(`run ${asked.runId} is another workspace's`);
  return standing.closedFence >= asked.fence || (standing.state !== 'NONE' && standing.fence !== asked.fence);
}

function isSamePage(asked: StoredPage, stored: StoredPage): boolean {
  return (
    asked.firstRow === stored.firstRow &&
    asked.rowCount === stored.rowCount &&
    asked.byteCount === stored.byteCount &&
    Buffer.compare(asked.checksum, stored.checksum) === 0
  );
}

function isSameSeal(asked: NewSeal, inlineChecksum: Uint8Array | undefined, standing: Standing): boolean {
  return (
    asked.rowCount === standing.rowCount &&
    asked.byteCount === standing.byteCount &&
    asked.truncated === standing.truncated &&
    asked.pageCount === standing.pageCount &&
    Buffer.compare(inlineChecksum ?? Buffer.alloc(0), standing.inlineChecksum ?? Buffer.alloc(0)) === 0
  );
}

function outOfOrder(page: StoredPage, next: number): never {
  throw broken(`page ${page.number} from row ${page.firstRow} does not follow on page ${next - 1}`);
}

function broken(internalMessage: string): AppError {
  return new AppError('internal', 'Something went wrong on our side.', { internalMessage });
}
