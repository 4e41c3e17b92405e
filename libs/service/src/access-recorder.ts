import { BusClient, serviceContext } from '#libs/bus';
import { auditRequests, type AuditEntry, type ServiceName } from '#libs/contracts';
import { newId } from '#libs/kernel';

/** What was done without changing anything, as whoever lets it be done says. */
export type AccessRecord = Omit<AuditEntry, 'id' | 'occurredAt' | 'service' | 'outcome'>;

interface Waiting {
  readonly entry: AuditEntry;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Far below what a message carries. */
const entriesMax = 200;

/**
 * Writes entries of the audit log for a process without a schema of its own: through metadata, one batch at a time, so that
 * many at once cost one commit, and none of them twice.
 */
export class AccessRecorder {
  private readonly waiting: Waiting[] = [];
  private isSending = false;

  constructor(
    private readonly bus: Pick<BusClient, 'request'>,
    private readonly service: ServiceName | 'gateway',
  ) {}

  /** Resolves when it is written down. @throws AppError where it was not; whether what it tells of may then be done is the caller's to say */
  record(record: AccessRecord): Promise<void> {
    const entry: AuditEntry = {
      ...record,
      id: newId('auditEntry'),
      occurredAt: new Date(),
      outcome: 'SUCCESS',
      service: this.service,
    };
    return new Promise((resolve, reject) => {
      this.waiting.push({ entry, resolve, reject });
      if (!this.isSending) void this.send();
    });
  }

  /** Never rejects: each who waits is told. */
  private async send(): Promise<void> {
    this.isSending = true;
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, entriesMax);
      try {
        const entries = batch.map(({ entry }) => entry);
        const context = serviceContext(this.service, '');
        await this.bus.request(auditRequests.recordAccess, { entries }, { context, idempotencyKey: newId('message') });
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.isSending = false;
  }
}
