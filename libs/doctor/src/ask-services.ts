import { AppError } from '#libs/kernel';
import type { BusClient, MessageContext } from '#libs/bus';
import { healthRequests, type HealthReport } from '#libs/contracts';
import { Examination, joinReports } from './examination.js';

const answerMs = 5_000;

/** What the services find, each asked at once; one that does not answer in time is a finding itself. */
export async function askServices(
  bus: BusClient,
  context: MessageContext,
  { withDatabase }: { withDatabase: boolean },
): Promise<HealthReport> {
  const reports = Object.entries(healthRequests).map(async ([name, { examine }]): Promise<HealthReport> => {
    try {
      const { report } = await bus.request(examine, { withDatabase }, { context, ttlMs: answerMs });
      return report ?? new Examination(name).report;
    } catch (error) {
      return unanswered(name, error);
    }
  });
  return joinReports(await Promise.all(reports));
}

function unanswered(name: string, error: unknown): HealthReport {
  const examination = new Examination(`Service ${name}`);
  const reason = error instanceof AppError ? (error.internalMessage ?? error.message) : String(error);
  if (error instanceof AppError && error.cause instanceof Error && error.cause.message.startsWith('OOM')) {
    // The service may be well: it was not asked, and its restart would mend nothing.
    examination.notChecked('service.answers', reason);
    return examination.report;
  }
  examination.found('service.answers', {
    severity: 'CRITICAL',
    what: `No ${name} answered within ${answerMs / 1_000} s: ${reason}`,
    why: 'What only it knows could not be checked, and whoever asks it gets no answer either.',
    mend: `systemctl restart sluice@${name}; its log says why it does not start: journalctl -u sluice@${name}`,
  });
  return examination.report;
}
