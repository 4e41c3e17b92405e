import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { AuditRepository } from '#libs/database';
import { asWorkOf, currentWork, type WorkOrigin } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import type { UserKey } from '../user/user.types.js';

interface Failures {
  readonly user: UserKey;
  readonly reason: string;
  readonly work: WorkOrigin | undefined;
  attempts: number;
}

const flushMs = 1_000;
/** Beyond it they are counted in the metrics alone: whoever sends that many wants to fill something. */
const pendingMax = 1_000;

/**
 * Tells the audit log of sign-ins that failed, of known users alone: where an address is nobody's there is no workspace to
 * tell, and it may be a password that was typed in the wrong place. Once a second, so that neither the time of an answer says
 * whether there is such a user, nor a flood of attempts becomes one of entries; a crash loses the last second.
 */
@Injectable()
export class SignInFailures implements OnModuleInit, OnModuleDestroy {
  private pending = new Map<string, Failures>();
  private timer: NodeJS.Timeout | undefined;
  private flushing: Promise<void> | undefined;

  constructor(
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly logger: AppLogger,
  ) {}

  onModuleInit(): void {
    this.timer = setInterval(() => {
      this.flushing ??= this.flush().finally(() => (this.flushing = undefined));
    }, flushMs);
    this.timer.unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.flushing;
    await this.flush();
  }

  /** @param reason its class, one word */
  note({ workspaceId, id }: UserKey, reason: string): void {
    const work = currentWork();
    const key = `${id} ${reason} ${work?.clientAddress ?? ''}`;
    const known = this.pending.get(key);
    if (known) known.attempts += 1;
    else if (this.pending.size < pendingMax) {
      this.pending.set(key, { user: { workspaceId, id }, reason, work, attempts: 1 });
    }
  }

  private async flush(): Promise<void> {
    const failures = [...this.pending.values()];
    this.pending = new Map();
    if (failures.length === 0) return;
    try {
      await this.transactions.run(async (transaction) => {
        for (const { user, reason, work, attempts } of failures) {
          const record = {
            action: 'session.sign_in_failed',
            target: { type: 'user', id: user.id },
            workspaceId: user.workspaceId,
            actor: { kind: 'ANONYMOUS', id: '' },
            after: { attempts },
            failure: reason,
          } as const;
          await (work
            ? asWorkOf(work, () => this.audit.add(transaction, record))
            : this.audit.add(transaction, record));
        }
      });
    } catch (err) {
      this.logger.error({ err, count: failures.length }, 'failed sign-ins could not be told to the audit log');
    }
  }
}
