import { isFinal, type ExecutionEvent, type ExecutionState, type Row } from './api-types.ts';

/** One connection's worth of a history: 'complete', or why it ended before that. */
export interface Sitting {
  gateway: string;
  events: ExecutionEvent[];
  receivedAtMs: number[];
  end: string;
}

/** All that one subscriber was told about one execution, over all its connections. */
export interface History {
  id: string;
  includeRows: boolean;
  sittings: Sitting[];
}

export interface Verdict {
  faults: string[];
  rows: Row[];
  finalState: ExecutionState | undefined;
  finalAtMs: number | undefined;
}

/**
 * Holds a history against what the contract promises: each connection begins with a snapshot, versions grow, every row is
 * told once and in order, one final state is told behind the last row, and then the subscription completes.
 */
export function checkHistory(history: History): Verdict {
  const verdict: Verdict = { faults: [], rows: [], finalState: undefined, finalAtMs: undefined };
  const place = { version: 0 };
  history.sittings.forEach((sitting, index) => checkSitting(sitting, index, verdict, place));
  const last = history.sittings.at(-1);
  if (last?.end !== 'complete')
    verdict.faults.push(`never completed; the last connection ended: ${last?.end ?? 'none'}`);
  if (verdict.finalState === undefined) verdict.faults.push('no final state was told');
  return { ...verdict, faults: verdict.faults.map((fault) => `${history.id}: ${fault}`) };
}

function checkSitting(sitting: Sitting, index: number, verdict: Verdict, place: { version: number }): void {
  const { faults } = verdict;
  const [first] = sitting.events;
  if (first && first.__typename !== 'ExecutionSnapshot')
    faults.push(`connection ${index} began with ${first.__typename}`);
  // Broken connections are expected; to be told that the execution, the cursor or the caller is not good is not.
  // 4408: the client itself was too slow to sign in, on a machine with too much to do.
  if (/NOT_FOUND|INVALID_INPUT|FORBIDDEN|UNAUTHENTICATED|closed with 44(?!08)/.test(sitting.end)) {
    faults.push(`connection ${index} was refused: ${sitting.end}`);
  }
  let isOver = false;
  for (const [position, event] of sitting.events.entries()) {
    if (isOver) faults.push(`${event.__typename} was told behind the final state`);
    if (position > 0 && event.__typename === 'ExecutionSnapshot') faults.push('a second snapshot in one connection');
    if (event.__typename === 'EventsSkipped') faults.push(`events were skipped: ${event.reason ?? ''}`);
    checkVersion(event, place, faults);
    if (event.page) checkPage(event.page, verdict);
    if (event.state !== undefined && isFinal(event.state)) {
      isOver = true;
      noteFinal(event.state, sitting.receivedAtMs[position], verdict);
    }
  }
  if (sitting.end === 'complete' && !isOver) faults.push(`connection ${index} completed without a final state`);
}

function checkVersion(event: ExecutionEvent, place: { version: number }, faults: string[]): void {
  const version = event.version ?? event.execution?.version;
  if (version === undefined) return;
  if (version < place.version) faults.push(`version ${version} came behind version ${place.version}`);
  place.version = Math.max(place.version, version);
}

function checkPage(page: { offset: number; rows: Row[] }, verdict: Verdict): void {
  const expected = verdict.rows.length;
  if (page.offset !== expected) {
    verdict.faults.push(
      `${page.offset < expected ? 'repeat' : 'gap'}: rows from ${page.offset} where ${expected} was next`,
    );
  }
  if (verdict.finalState !== undefined) verdict.faults.push('rows were told behind the final state');
  // Where offsets are wrong the rows go where they say they belong, so that one fault is not reported for each later page.
  page.rows.forEach((row, index) => (verdict.rows[page.offset + index] = row));
}

// A connection that broke between the final state and the end is told the same final state again.
function noteFinal(state: ExecutionState, atMs: number | undefined, verdict: Verdict): void {
  if (verdict.finalState !== undefined && verdict.finalState !== state) {
    verdict.faults.push(`two final states: ${verdict.finalState} and ${state}`);
  }
  verdict.finalState ??= state;
  verdict.finalAtMs ??= atMs;
}

/**
 * The rows of manyRowsQuery and slowRowsQuery say by themselves whether they are right; the places of those that are not.
 * `offset` is the place of the first of them in the whole.
 */
export function wrongRows(rows: readonly Row[], md5: (text: string) => string, offset = 0): number[] {
  const wrong: number[] = [];
  for (let index = 0; index < rows.length; index += 1) {
    const [number, digest] = rows[index] ?? [];
    const expected = offset + index + 1;
    if (Number(number) !== expected || digest !== md5(String(expected))) wrong.push(index);
  }
  return wrong;
}
