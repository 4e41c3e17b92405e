import { checkEnds } from './check-ends.ts';
import { checkEvents, checkFinished } from './check-events.ts';
import { checkSource } from './check-source.ts';
import { checkThings } from './check-things.ts';
import { Ledger } from './ledger.ts';
import type { Operation } from './operation.ts';
import type { Complain, Count, Report } from './report.ts';

/** Holds a history against the five promises; see docs/decisions/0045. */
export async function checkHistory(operations: AsyncIterable<Operation> | Iterable<Operation>): Promise<Report> {
  const ledger = new Ledger();
  for await (const operation of operations) ledger.add(operation);
  const report: Report = {
    counts: { operations: ledger.operations, seconds: Math.round((ledger.endedAtMs - ledger.beganAtMs) / 1_000) },
    ends: {},
    outages: [],
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

/** How long those had to wait who were waiting, with a key, when it was mended. */
function waitOf({ name, fromMs, mendedMs }: Ledger['outages'][number], ledger: Ledger): Report['outages'][number] {
  const waiting = [...ledger.submissions.values()].filter(
    ({ invokedAtMs, answeredAtMs = ledger.endedAtMs, question }) =>
      question.isRelaxed !== true && invokedAtMs < mendedMs && answeredAtMs > mendedMs,
  );
  const answered = waiting.map(({ answeredAtMs = ledger.endedAtMs }) => answeredAtMs - mendedMs);
  return {
    name,
    brokenMs: mendedMs - fromMs,
    waiting: waiting.length,
    answeredAfterMs: Math.max(0, ...answered),
  };
}
