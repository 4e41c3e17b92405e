import { checkEnds } from './check-ends.ts';
import { checkEvents, checkFinished } from './check-events.ts';
import { checkSource } from './check-source.ts';
import { checkThings } from './check-things.ts';
import { Ledger, type Submission } from './ledger.ts';
import type { Operation } from './operation.ts';
import type { Complain, Count, OutageReport, Report } from './report.ts';

/** Holds a history against the five promises; see docs/decisions/0045. */
export async function checkHistory(operations: AsyncIterable<Operation> | Iterable<Operation>): Promise<Report> {
  const ledger = new Ledger();
  for await (const operation of operations) ledger.add(operation);
  const report: Report = {
    counts: { operations: ledger.operations, seconds: Math.round((ledger.endedAtMs - ledger.beganAtMs) / 1_000) },
    ends: {},
    outages: [],
    longestQuestionMs: longestOf(ledger),
    faults: { ends: [], source: [], policies: [], events: [], changes: [] },
    errors: [...ledger.errors],
  };
  const complain: Complain = (invariant, fault) => void report.faults[invariant].push(fault);
  const count: Count = (what, more = 1) => void (report.counts[what] = (report.counts[what] ?? 0) + more);
  checkEnds(ledger, report, complain, count);
  checkEvents(ledger, complain, count);
  checkFinished(ledger, complain, count);
  checkSource(ledger, complain, count);
  checkThings(ledger, complain, count);
  report.outages = ledger.outages.map((outage) => waitOf(outage, ledger));
  return report;
}

// What is asked without a key is lost with its request, and its client waits for the time-out.
function waitOf({ name, fromMs, mendedMs }: Ledger['outages'][number], ledger: Ledger): OutageReport {
  const asked = [...ledger.submissions.values()].filter(
    ({ invokedAtMs, question }) => question.isRelaxed !== true && invokedAtMs < mendedMs,
  );
  const waitsFor = (endOf: (submission: Submission) => number | undefined): number[] =>
    asked.map((submission) => (endOf(submission) ?? ledger.endedAtMs) - mendedMs).filter((waitMs) => waitMs > 0);
  const answered = waitsFor(({ answeredAtMs, refusal }) => (refusal === undefined ? answeredAtMs : 0));
  const ended = waitsFor((submission) => (submission.refusal === undefined ? endOf(submission, ledger) : 0));
  return {
    ...{ name, brokenMs: mendedMs - fromMs },
    ...{ waiting: answered.length, answeredAfterMs: Math.max(0, ...answered) },
    ...{ followed: ended.length, endedAfterMs: Math.max(0, ...ended) },
  };
}

function endOf({ executions }: Submission, ledger: Ledger): number | undefined {
  const [execution = ''] = executions;
  return ledger.connections.get(execution)?.at(-1)?.endedAtMs;
}

function longestOf(ledger: Ledger): number {
  const untilMs = ledger.outages[0]?.fromMs ?? ledger.endedAtMs;
  const times = [...ledger.submissions.values()].map((submission) => {
    const endedAtMs = endOf(submission, ledger) ?? Infinity;
    return endedAtMs < untilMs ? endedAtMs - submission.invokedAtMs : 0;
  });
  return Math.max(0, ...times);
}
