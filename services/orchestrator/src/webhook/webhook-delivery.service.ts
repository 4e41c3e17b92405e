import { Inject, Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { MasterKeys, openText } from '#libs/encryption';
import { backoffMs, type Clock } from '#libs/kernel';
import { ReceiverClient, signedHeaders, type ReceiverAnswer } from '#libs/receivers';
import { CLOCK } from '#libs/service';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { WebhookDeliveryRepository, type ClaimedDelivery, type DeliveryEnd } from './webhook-delivery.repository.js';
import { WebhookFeedRepository } from './webhook-feed.repository.js';

const retryMaxMs = 12 * 3_600_000;
/** Beyond the receiver's own time: for what comes before and behind an attempt. */
const leaseMarginSeconds = 5;
/** The receiver wants no more, ever. */
const gone = 410;

/** Makes deliveries of what has ended, and sends them until they are taken or were tried often enough. */
@Injectable()
export class WebhookDeliveryService {
  private readonly underWay = new Set<Promise<void>>();
  private readonly masterKeys: MasterKeys;
  private readonly attempts;
  private readonly durations;
  private readonly givenUp;

  constructor(
    private readonly feed: WebhookFeedRepository,
    private readonly deliveries: WebhookDeliveryRepository,
    private readonly receivers: ReceiverClient,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: OrchestratorConfig,
    @Inject(CLOCK) private readonly clock: Clock,
    metrics: MetricsRegistry,
  ) {
    this.masterKeys = MasterKeys.parse(config.masks.masterKeys);
    this.attempts = metrics.counter({
      name: 'webhook_attempts_total',
      help: 'Attempts to deliver, by what came of them.',
      labels: ['outcome'],
    });
    this.durations = metrics.histogram({
      name: 'webhook_attempt_seconds',
      help: 'How long receivers of webhooks take to answer.',
    });
    this.givenUp = metrics.counter({
      name: 'webhooks_given_up_total',
      help: 'Webhooks given up because their receivers failed for long or want no more.',
    });
    metrics.gauge({ name: 'webhook_in_flight', help: 'Deliveries under way.' }, (gauge) =>
      gauge.set(this.underWay.size),
    );
  }

  /**
   * One look: what has ended becomes deliveries, and as many as there is room for are sent.
   * @param onEnd called when one of those has ended, so that there is room for another
   */
  async look(onEnd: () => void = () => undefined): Promise<void> {
    const { pendingMax, inFlightMax, receiverInFlightMax, timeoutMs } = this.config.webhooks;
    for (let isMore = true; isMore;) isMore = await this.feed.advance(pendingMax);
    for (let limit = inFlightMax - this.underWay.size; limit > 0; limit = inFlightMax - this.underWay.size) {
      const leaseSeconds = timeoutMs / 1_000 + leaseMarginSeconds;
      const claimed = await this.deliveries.claim({ limit, receiverInFlightMax, leaseSeconds });
      for (const delivery of claimed) this.begin(delivery, onEnd);
      if (claimed.length === 0) return;
    }
  }

  /** Resolves when all that was under way has ended. */
  async settle(): Promise<void> {
    await Promise.all(this.underWay);
  }

  private begin(delivery: ClaimedDelivery, onEnd: () => void): void {
    const attempt = this.attempt(delivery)
      .catch((err: unknown) =>
        this.logger.warn({ err, deliveryId: delivery.id }, 'an attempt was not written down; it is made again'),
      )
      .finally(() => {
        this.underWay.delete(attempt);
        onEnd();
      });
    this.underWay.add(attempt);
  }

  private async attempt(delivery: ClaimedDelivery): Promise<void> {
    const { id, webhookId } = delivery;
    const startedMs = this.clock.monotonicMs();
    const at = new Date(this.clock.nowMs()).toISOString();
    const answer = await this.send(delivery);
    const durationMs = Math.round(this.clock.monotonicMs() - startedMs);
    const { status, failure } = answer;
    const isDelivered = failure === undefined;
    this.attempts.inc({ outcome: isDelivered ? 'delivered' : status === undefined ? 'unreached' : 'refused' });
    this.durations.observe(durationMs / 1_000);
    this.logger.info({ deliveryId: id, webhookId, attempt: delivery.attemptCount, ...answer }, 'a webhook was sent');
    await this.deliveries.record(delivery, { at, durationMs, ...answerOf(answer) }, this.endOf(delivery, answer));
    if (isDelivered) await this.deliveries.noteSuccess(webhookId);
    else await this.noteFailure(delivery, status);
  }

  private async send({ id, workspaceId, webhookId, url, secrets, payload }: ClaimedDelivery): Promise<ReceiverAnswer> {
    const opened = secrets.map((secret) => openText(secret, this.masterKeys, `${workspaceId}/${webhookId}`));
    return this.receivers.post(url, signedHeaders(id, payload, opened, this.clock.nowMs()), payload);
  }

  private endOf({ attemptCount }: ClaimedDelivery, answer: ReceiverAnswer): DeliveryEnd {
    if (answer.failure === undefined) return { state: 'DELIVERED' };
    const { attemptsMax, retryInitialMs } = this.config.webhooks;
    if (attemptCount >= attemptsMax || answer.status === gone) return { state: 'FAILED' };
    const ownMs = backoffMs(attemptCount - 1, { initialMs: retryInitialMs, maxMs: retryMaxMs });
    return { retryInMs: Math.min(retryMaxMs, Math.max(ownMs, (answer.retryAfterSeconds ?? 0) * 1_000)) };
  }

  private async noteFailure(delivery: ClaimedDelivery, status: number | undefined): Promise<void> {
    const { webhookId } = delivery;
    const giveUpSeconds = status === gone ? 0 : this.config.webhooks.giveUpSeconds;
    if (!(await this.deliveries.noteFailure(delivery, giveUpSeconds))) return;
    this.givenUp.inc();
    this.logger.warn({ webhookId, status }, 'a webhook is given up: its receiver has failed for long or wants no more');
  }
}

function answerOf({ status, failure }: ReceiverAnswer): { status?: number; failure?: string } {
  return { ...(status === undefined ? {} : { status }), ...(failure === undefined ? {} : { failure }) };
}
