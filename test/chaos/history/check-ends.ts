import type { Complain, Count, Report } from './report.ts';
import type { Ledger, Seen, Submission } from './ledger.ts';

const finalStates = new Set(['SUCCEEDED', 'FAILED', 'CANCELED', 'TIMED_OUT']);

/** Every accepted execution reaches exactly one final state, and a key makes one execution. */
export function checkEnds(ledger: Ledger, report: Report, complain: Complain, count: Count): void {
  const last = finalStatesSeen(ledger, complain);
  const byKey = executionsByKey(ledger);
  for (const submission of ledger.submissions.values()) {
    count('submitted');
    if (submission.isHit) count('cached hits');
    const { key, executions, refusal } = submission;
    if (executions.size === 0) count(refusal === undefined ? 'without an answer' : 'refused');
    if (refusal !== undefined) report.errors.push(`${key} was refused: ${refusal}`);
    if (executions.size > 1) complain('ends', `${key} was accepted as ${[...executions].join(' and ')}`);
    const made = byKey.get(key)?.size ?? 0;
    if (made > 1) complain('ends', `${key} made ${made} executions`);
    if (made > 0 && refusal !== undefined) complain('ends', `${key} was refused and made an execution`);
    for (const id of executions) endOf(id, submission, last.get(id), report, complain, count);
  }
}

function endOf(
  id: string,
  { question: { kind, isCanceled, isRelaxed }, isHit }: Submission,
  seen: Seen | undefined,
  report: Report,
  complain: Complain,
  count: Count,
): void {
  count('accepted');
  // The one stated exception: a crash of PostgreSQL may take the record of such hits as were answered in its last second.
  if (!seen && isHit && isRelaxed) return count('cached hits without a record');
  if (!seen) return complain('ends', `${id} (${kind}) was accepted and is not known any more`);
  if (!finalStates.has(seen.state)) return complain('ends', `${id} (${kind}) is ${seen.state} in the end`);
  if (seen.attempts > 1) count('tried again');
  const end = `${kind}: ${seen.state}${seen.code === null ? '' : ` ${seen.code}`}`;
  report.ends[end] = (report.ends[end] ?? 0) + 1;
  if (seen.state === (isCanceled ? 'CANCELED' : 'SUCCEEDED')) return;
  report.errors.push(`${id} (${kind}) ended as ${seen.state} ${seen.code ?? ''}`);
  // What was lost on the way may fail, if it says that it can be asked again.
  if (seen.state === 'FAILED' && seen.retryable === true) return;
  complain('ends', `${id} (${kind}) ended as ${seen.state} ${seen.code ?? ''}`);
}

/** What each was seen as in the end; a final state that was seen before stays for ever. */
function finalStatesSeen({ seen, submissions }: Ledger, complain: Complain): Map<string, Seen> {
  const relaxed = new Set(
    [...submissions.values()].flatMap(({ question, executions }) => (question.isRelaxed ? [...executions] : [])),
  );
  const last = new Map<string, Seen>();
  for (const each of seen) {
    const before = last.get(each.execution);
    if (before && finalStates.has(before.state) && before.state !== each.state) {
      complain('ends', `${each.execution} was ${before.state} and then ${each.state}`);
    }
    last.set(each.execution, each);
  }
  for (const [execution, { isLast, state }] of last) {
    if (isLast || !finalStates.has(state) || relaxed.has(execution)) continue;
    complain('ends', `${execution} was ${state} and is not there any more`);
  }
  return new Map([...last].filter(([, { isLast }]) => isLast));
}

function executionsByKey({ seen }: Ledger): Map<string, Set<string>> {
  const byKey = new Map<string, Set<string>>();
  for (const { key, execution } of seen) {
    if (key === null) continue;
    byKey.set(key, (byKey.get(key) ?? new Set()).add(execution));
  }
  return byKey;
}
