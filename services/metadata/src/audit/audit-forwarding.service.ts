import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { openText, type MasterKeys } from '#libs/encryption';
import { backoffMs, delay, type Clock } from '#libs/kernel';
import { ReceiverClient, signedHeaders } from '#libs/receivers';
import { CLOCK } from '#libs/service';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { MetadataConfig } from '../metadata.config.js';
import { MASTER_KEYS } from '../secret/master-keys.js';
import { lineOf } from './audit-body.js';
import { AuditEntryRepository, type StoredAuditEntry } from './audit-entry.repository.js';
import { AuditForwarderRepository, type ClaimedForwarder } from './audit-forwarder.repository.js';
import { framed, syslogMessage } from './syslog-message.js';
import { SyslogClient } from './syslog.client.js';

const atOnce = 8;
const batch = { count: 500, charactersMax: 256_000 };
const leaseMarginSeconds = 5;
const retry = { initialMs: 1_000, maxMs: 300_000 };

/**
 * Forwards the chains of workspaces to their receivers, in order and at least once: the cursor of a receiver moves when it
 * has taken a batch, and the batch comes again until it has.
 */
@Injectable()
export class AuditForwardingService implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly stopping = new AbortController();
  private loop: Promise<void> | undefined;
  private readonly batches;

  constructor(
    private readonly forwarders: AuditForwarderRepository,
    private readonly entries: AuditEntryRepository,
    private readonly receivers: ReceiverClient,
    private readonly syslog: SyslogClient,
    private readonly logger: AppLogger,
    @Inject(MASTER_KEYS) private readonly masterKeys: MasterKeys,
    @InjectConfig() private readonly config: Pick<MetadataConfig, 'audit'>,
    @Inject(CLOCK) private readonly clock: Clock,
    metrics: MetricsRegistry,
  ) {
    this.batches = metrics.counter({
      name: 'audit_forwards_total',
      help: 'Batches of audit entries sent to receivers, by what came of them.',
      labels: ['outcome'],
      known: ['taken', 'failed'],
    });
  }

  onApplicationBootstrap(): void {
    this.loop = this.run();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping.abort();
    await this.loop;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const sent = await this.look().catch((err: unknown) => {
        this.logger.warn({ err }, 'what is to be forwarded of the audit log could not be looked for');
        return 0;
      });
      if (sent === 0) await delay(this.config.audit.pollMs, { signal });
    }
  }

  /** @returns how many batches were taken by their receivers */
  private async look(): Promise<number> {
    const leaseSeconds = this.config.audit.timeoutMs / 1_000 + leaseMarginSeconds;
    const claimed = await this.forwarders.claim(atOnce, leaseSeconds);
    const taken = await Promise.all(claimed.map((forwarder) => this.forward(forwarder)));
    return taken.filter(Boolean).length;
  }

  private async forward(forwarder: ClaimedForwarder): Promise<boolean> {
    const { id, workspaceId, forwardedSequence, attemptCount } = forwarder;
    const entries = await this.entries.after(workspaceId, {}, forwardedSequence, batch);
    const last = entries.at(-1);
    if (!last) return false;
    const failure = await this.send(forwarder, entries, last.sequence).catch((err: unknown) => {
      this.logger.warn({ err, forwarderId: id }, 'a batch of the audit log could not be sent');
      return 'It could not be sent.';
    });
    this.batches.inc({ outcome: failure === undefined ? 'taken' : 'failed' });
    if (failure === undefined) await this.forwarders.forwarded(forwarder, last.sequence);
    else await this.forwarders.failed(forwarder, failure, backoffMs(attemptCount, retry));
    return failure === undefined;
  }

  private async send(
    { id, workspaceId, kind, url, secret }: ClaimedForwarder,
    entries: readonly StoredAuditEntry[],
    lastSequence: number,
  ): Promise<string | undefined> {
    if (kind === 'SYSLOG') {
      return this.syslog.send(
        url,
        entries.map((entry) => framed(syslogMessage(entry))),
      );
    }
    if (secret === null) throw new Error('a webhook has no secret');
    const body = entries.map(lineOf).join('');
    // The same for the same batch, so that a receiver knows one that it has.
    const batchId = `${id}.${lastSequence}`;
    const opened = openText(secret, this.masterKeys, `${workspaceId}/${id}`);
    const headers = signedHeaders(batchId, body, [opened], this.clock.nowMs());
    const answer = await this.receivers.post(url, { ...headers, 'content-type': 'application/x-ndjson' }, body);
    return answer.failure;
  }
}
