import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { SourceConnection } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { AccessRecorder } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import type { WorkerConfig } from '../worker.config.js';

interface Reads {
  readonly workspaceId: string;
  readonly sourceId: string;
  readonly name: string;
  count: number;
}

const lookMs = 1_000;
/** A busy source is read many times a second: after its first reading it is told of once a minute, with the number of them. */
const againAfterMs = 60_000;

/**
 * Tells the audit log that secrets of sources were opened. Reading waits for nobody; what could not be told is told later,
 * and what was read in the last minute before a crash is lost.
 */
@Injectable()
export class SecretReads implements OnModuleInit, OnModuleDestroy {
  private readonly pending = new Map<string, Reads>();
  private readonly toldAtMs = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;
  private telling: Promise<void> | undefined;

  constructor(
    private readonly recorder: AccessRecorder,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: Pick<WorkerConfig, 'service'>,
  ) {}

  onModuleInit(): void {
    this.timer = setInterval(() => {
      this.telling ??= this.tell(performance.now() - againAfterMs).finally(() => (this.telling = undefined));
    }, lookMs);
    this.timer.unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.telling;
    await this.tell(Infinity);
  }

  note({ id, workspaceId, name }: SourceConnection): void {
    const reads = this.pending.get(id) ?? { workspaceId, sourceId: id, name, count: 0 };
    reads.count += 1;
    this.pending.set(id, reads);
  }

  private async tell(toldBeforeMs: number): Promise<void> {
    for (const [at] of [...this.toldAtMs].filter(([id, ms]) => ms <= toldBeforeMs && !this.pending.has(id))) {
      this.toldAtMs.delete(at);
    }
    const due = [...this.pending.values()].filter(
      ({ sourceId }) => (this.toldAtMs.get(sourceId) ?? -Infinity) <= toldBeforeMs,
    );
    await Promise.all(due.map((reads) => this.tellOf(reads)));
  }

  private async tellOf(reads: Reads): Promise<void> {
    const { workspaceId, sourceId, name, count } = reads;
    this.pending.delete(sourceId);
    this.toldAtMs.set(sourceId, performance.now());
    try {
      await this.recorder.record({
        workspaceId,
        action: 'data_source.secrets_opened',
        actor: { kind: 'SERVICE', id: 'worker' },
        target: { type: 'data_source', id: sourceId, name },
        requestId: newId('request'),
        after: { openings: count, worker: this.config.service.instance },
      });
    } catch (err) {
      this.logger.warn({ err, sourceId }, 'the opening of secrets could not be told to the audit log yet');
      const since = this.pending.get(sourceId);
      this.pending.set(sourceId, since ? { ...since, count: since.count + count } : reads);
    }
  }
}
