import type { Complain, Count } from './report.ts';
import type { Ledger } from './ledger.ts';

/** What a cancel at the source may take, from the end of the execution or of an outage that lay between. */
const endsWithinMs = 10_000;

/** No query runs on at a source: not long behind the end of its execution, and none at all when everything has come to rest. */
export function checkSource(ledger: Ledger, complain: Complain, count: Count): void {
  const finishedAtMs = finishedByMark(ledger);
  const reported = new Set<string>();
  for (const { marks, atMs, isLast } of ledger.statements) {
    count('looks at the source');
    for (const mark of marks) {
      const finished = finishedAtMs.get(mark);
      if (isLast) complain('source', `${mark} still runs in the end`);
      if (finished === undefined || reported.has(mark)) continue;
      const mended = ledger.outages.filter(({ fromMs, toMs }) => fromMs < atMs && toMs > finished);
      const runsOnMs = atMs - Math.max(finished, ...mended.map(({ toMs }) => toMs));
      if (runsOnMs <= endsWithinMs) continue;
      reported.add(mark);
      complain('source', `${mark} still runs ${Math.round(runsOnMs)} ms after its execution has ended`);
    }
  }
}

function finishedByMark({ submissions, seen }: Ledger): Map<string, number> {
  const finished = new Map(
    seen.flatMap(({ execution, finishedAtMs }) => (finishedAtMs === null ? [] : [[execution, finishedAtMs]])),
  );
  const byMark = new Map<string, number>();
  for (const { question, executions } of submissions.values()) {
    for (const id of executions) {
      const atMs = finished.get(id);
      if (question.mark !== '' && atMs !== undefined) byMark.set(question.mark, atMs);
    }
  }
  return byMark;
}
