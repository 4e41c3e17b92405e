import type { Finding, HealthReport, Measurement } from '#libs/contracts';

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

/** All that several examinations say. */
export function joinReports(reports: readonly HealthReport[]): HealthReport {
  return {
    findings: reports.flatMap(({ findings }) => findings),
    notChecked: reports.flatMap(({ notChecked }) => notChecked),
    measurements: reports.flatMap(({ measurements }) => measurements),
  };
}

/** The first line of what a server said, which names a command or a right and never a value. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n')[0]?.slice(0, 200) ?? '';
}
