import type { OutboxMessage, OutboxStore } from '#libs/database';
import type { ReaderParts } from './blocking-reader.js';
import { compareIds, decodeEnvelope, parseEntries } from './stream-entry.js';
import { StreamMark } from './stream-mark.js';
import { streamState } from './stream-state.js';

const batch = 200;
/** More than what other relays of the service can have added since the outbox's last word. */
const lastEntries = 500;
/** A stream that was cut because it grew too long is told again when its readers have come so far. */
const lengthMax = 20_000;

/**
 * Finds that a stream has lost events, and has them told again from the outbox. Three signs: its mark is gone (all of Redis
 * was lost, or a reader missed something); its ids went back while we watched (a failover); or, at a first look, what
 * the outbox published last is not at its end (either, while nobody watched).
 */
export class StreamWatch {
  private lastId: string | undefined;
  private readonly mark: StreamMark;

  constructor(
    private readonly area: string,
    private readonly key: string,
    private readonly store: Pick<OutboxStore, 'listPublished' | 'lastPublished'>,
    private readonly parts: ReaderParts,
  ) {
    this.mark = new StreamMark(key, parts.redis);
  }

  async rebuildWhatIsLost(publish: (messages: readonly OutboxMessage[]) => Promise<void>): Promise<void> {
    const { lastId, isLost } = await this.look();
    // A loss is forgotten only once the mark says it.
    if (isLost) await this.mark.remove();
    this.lastId = lastId;
    if (!(await this.mark.isMissing()) || (await this.client.xlen(this.key)) > lengthMax) return;
    const token = await this.mark.beginRebuild();
    if (token === undefined) return;
    const count = await this.rebuild(publish).catch(async (error: unknown) => {
      // So that the next look begins it again, and not only when the mark of this one has run out.
      await this.mark.remove();
      throw error;
    });
    await this.mark.endRebuild(token);
    if (count === 0) return;
    this.parts.metrics.lost.inc({ stream: this.area });
    this.parts.logger.warn({ area: this.area, count }, 'a stream of events had a loss and is told again');
  }

  /** The id that an event was given: from now on the stream must be at least there. */
  reached(id: string): void {
    // Before the first look nothing is known of what came before it.
    if (this.lastId !== undefined && compareIds(id, this.lastId) > 0) this.lastId = id;
  }

  private async look(): Promise<{ lastId: string; isLost: boolean }> {
    const before = this.lastId;
    const { lastId } = await streamState(this.parts.redis.call('broker'), this.key);
    const isLost = before === undefined ? await this.lacksLastPublished() : compareIds(lastId, before) < 0;
    return { lastId, isLost };
  }

  /** A stream is never trimmed of its last entry, so what was published last must be near its end. */
  private async lacksLastPublished(): Promise<boolean> {
    const messageId = await this.store.lastPublished(this.area);
    if (messageId === undefined) return false;
    const raw: unknown = await this.client.xrevrangeBuffer(this.key, '+', '-', 'COUNT', lastEntries);
    return !parseEntries(raw).some(({ bytes }) => decodeEnvelope(bytes)?.id === messageId);
  }

  private async rebuild(publish: (messages: readonly OutboxMessage[]) => Promise<void>): Promise<number> {
    let after = 0;
    for (let count = 0; ;) {
      const messages = await this.store.listPublished(this.area, after, batch);
      await publish(messages);
      count += messages.length;
      after = messages.at(-1)?.sequence ?? after;
      if (messages.length < batch) return count;
    }
  }

  private get client() {
    return this.parts.redis.client('broker');
  }
}
