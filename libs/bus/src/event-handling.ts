import type { MessageHandler } from '@nestjs/microservices';
import type { AnyEventContract, Envelope } from '#libs/contracts';
import { backoffMs, delay } from '#libs/kernel';
import { redactText, withLogFields } from '#libs/telemetry';
import type { ReaderParts } from './blocking-reader.js';
import { BusContext } from './bus-context.js';
import { DeadLetters } from './dead-letters.js';
import { resultOf } from './dispatcher.js';
import { decodeEnvelope, type StreamEntry } from './stream-entry.js';
import { isGathered } from './handles.js';
import { eventSpanName, inTracesOf } from './trace.js';

interface Place {
  area: string;
  key: string;
  group: string;
  /** Deliveries after which an event becomes a dead letter. */
  deliveriesMax: number;
}

/** What became of an event: `done` (handled, or given up), `unknown` to this release, or `failed` and to come again. */
export type EventOutcome = 'done' | 'unknown' | 'failed';

const ackAttemptsMax = 5;

/** Handles one event, or those that one handler takes together: runs its handler, acknowledges it after its effect, gives it up after too many deliveries. */
export class EventHandling {
  private readonly deadLetters: DeadLetters;
  private readonly contracts: ReadonlyMap<string, AnyEventContract>;

  constructor(
    private readonly place: Place,
    contracts: readonly AnyEventContract[],
    private readonly handlers: ReadonlyMap<string, MessageHandler>,
    private readonly parts: ReaderParts,
  ) {
    this.deadLetters = new DeadLetters(parts.redis, place.key);
    this.contracts = new Map(contracts.map((contract) => [contract.type, contract]));
  }

  /** @param deliveries how often it has been handed out, this time included */
  async handle(entry: StreamEntry, deliveries: number): Promise<EventOutcome> {
    const { area, deliveriesMax } = this.place;
    const envelope = decodeEnvelope(entry.bytes);
    if (!envelope) return this.giveUp(entry, 'it holds no message of the bus');
    const contract = this.contracts.get(envelope.type);
    const handler = this.handlers.get(envelope.type);
    if (!contract || !handler) return 'unknown';
    // Counted before it runs: one that takes its process with it would otherwise come for ever.
    if (deliveries > deliveriesMax)
      return this.giveUp(entry, `it was handed out ${deliveriesMax} times without an end`);
    try {
      await this.run([envelope], contract, handler);
    } catch (err) {
      const { requestId, workspaceId, type } = envelope;
      const detail = { err, area, type, deliveries, requestId, workspaceId };
      if (deliveries >= deliveriesMax) {
        this.parts.logger.error(detail, 'an event was not handled and is given up');
        return this.giveUp(entry, String(err));
      }
      this.parts.logger.warn(detail, 'an event was not handled and comes again');
      return 'failed';
    }
    await this.acknowledge([entry.id]);
    return 'done';
  }

  /**
   * Handles events of one kind that were handed out for the first time with one effect, where their handler takes them so.
   * @returns false where nothing has been done, and each is to be handled by itself
   */
  async handleGathered(entries: readonly StreamEntry[]): Promise<boolean> {
    const envelopes = entries.map(({ bytes }) => decodeEnvelope(bytes)).filter((envelope) => envelope !== undefined);
    const { type = '' } = envelopes[0] ?? {};
    const contract = this.contracts.get(type);
    const handler = this.handlers.get(type);
    if (!contract || !handler || !isGathered(handler)) return false;
    if (envelopes.length < entries.length || envelopes.some((envelope) => envelope.type !== type)) return false;
    try {
      await this.run(envelopes, contract, handler);
    } catch (err) {
      const { area } = this.place;
      this.parts.logger.debug({ err, area, count: entries.length }, 'events were not handled together');
      return false;
    }
    await this.acknowledge(entries.map(({ id }) => id));
    return true;
  }

  /** Of all but a handler that takes what has gathered it is one envelope. */
  private async run(
    envelopes: readonly Envelope[],
    contract: AnyEventContract,
    handler: MessageHandler,
  ): Promise<void> {
    const gathered = envelopes.map((envelope) => ({
      payload: contract.codec.decode(envelope.payload) as unknown,
      context: new BusContext(envelope),
    }));
    const [first] = gathered;
    const payload = isGathered(handler) ? gathered : first?.payload;
    const [envelope] = envelopes;
    const fields = envelopes.length === 1 ? { requestId: envelope?.requestId, workspaceId: envelope?.workspaceId } : {};
    await withLogFields(fields, () =>
      inTracesOf(envelopes, eventSpanName(this.place.group, contract), async () =>
        resultOf(await handler(payload, first?.context)),
      ),
    );
  }

  /** The effect is there. Where this cannot be said now, the events come again and are known by their ids. */
  private async acknowledge(ids: readonly string[]): Promise<void> {
    const { key, group } = this.place;
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.parts.redis.client('broker').xack(key, group, ...ids);
        return;
      } catch (error) {
        if (attempt + 1 >= ackAttemptsMax) throw error;
        await delay(backoffMs(attempt, { initialMs: 50, maxMs: 1_000 }));
      }
    }
  }

  private async giveUp({ id, bytes }: StreamEntry, why: string): Promise<EventOutcome> {
    const { area, group } = this.place;
    const reason = redactText(why);
    if (await this.deadLetters.giveUp({ group, entryId: id, reason, bytes: bytes ?? Buffer.alloc(0) })) {
      this.parts.metrics.deadLetters.inc({ area });
      this.parts.logger.error({ area, entryId: id, reason }, 'an event became a dead letter');
    }
    return 'done';
  }
}
