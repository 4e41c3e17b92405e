import type { Finding, HealthReport, Measurement, Severity } from '#libs/contracts';

/** What a check says; who makes the checks knows what it is about. */
export type Fault = Omit<Finding, 'subject' | 'check'>;

/** What the checks of one subject have found, and what could not be checked. */
export class Examination {
  readonly report: HealthReport = { findings: [], notChecked: [], measurements: [] };

  constructor(readonly subject: string) {}

  found(check: string, fault: Fault): void {
    this.report.findings.push({ ...fault, check, subject: this.subject });
  }

  notChecked(check: string, reason: string): void {
    this.report.notChecked.push({ check, subject: this.subject, reason });
  }

  measured(name: string, value: number, unit = ''): void {
    const measurement: Measurement = { subject: this.subject, name, value, unit };
    this.report.measurements.push(measurement);
  }

  /** Makes one check. What the server refuses to tell is not checked; a check that fails says nothing of the others. */
  async check(name: string, work: () => Promise<readonly Fault[]> | readonly Fault[]): Promise<void> {
    try {
      for (const fault of await work()) this.found(name, fault);
    } catch (error) {
      this.notChecked(name, reasonOf(error));
    }
  }
}

/** All that several examinations say, once: services that share a database find the same there. Worst first. */
export function joinReports(reports: readonly HealthReport[]): HealthReport {
  const findings = reports.flatMap((report) => report.findings);
  return {
    // By what mends it, as in what is wrong there may be numbers that change from look to look.
    findings: once(findings, ({ check, subject, mend }) => [check, subject, mend]).toSorted(
      (one, other) => order[one.severity] - order[other.severity],
    ),
    notChecked: once(
      reports.flatMap(({ notChecked }) => notChecked),
      ({ check, subject }) => [check, subject],
    ),
    measurements: once(
      reports.flatMap(({ measurements }) => measurements),
      ({ subject, name }) => [subject, name],
    ),
  };
}

const order = { CRITICAL: 0, WARNING: 1, NOTICE: 2 } as const satisfies Record<Severity, number>;

function once<T>(items: readonly T[], keyOf: (item: T) => readonly string[]): T[] {
  return [...new Map(items.toReversed().map((item) => [keyOf(item).join('\n'), item])).values()].toReversed();
}

/** The first line of what a server said, which names a command or a right and never a value. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n')[0]?.slice(0, 200) ?? '';
}
