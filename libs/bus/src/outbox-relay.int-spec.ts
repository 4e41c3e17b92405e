import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { envelopeCodec } from '#libs/contracts';
import type { OutboxMessage } from '#libs/database';
import { RedisConnections } from '#libs/redis';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { startRedis, until, type RedisServer } from '#libs/testing';
import type { ReaderParts } from './blocking-reader.js';
import { BusMetrics } from './bus-metrics.js';
import { OutboxRelay, type RelayedOutbox } from './outbox-relay.js';
import { decodeEnvelope } from './stream-entry.js';
import { StreamMark } from './stream-mark.js';

/** The outbox in memory; libs/database has the real one and its own tests. */
class MemoryOutbox implements RelayedOutbox {
  readonly waiting: OutboxMessage[] = [];
  readonly published: OutboxMessage[] = [];
  failsListing = 0;
  private sequence = 0;
  private poke: () => void = () => undefined;

  add(count: number): void {
    for (let each = 0; each < count; each += 1) {
      this.sequence += 1;
      const id = `msg_${this.sequence}`;
      const envelope = envelopeOf(id);
      this.waiting.push({ sequence: this.sequence, messageId: id, area: 'run', type: 'RunFinished', envelope });
    }
    this.poke();
  }

  onCommitted(listener: () => void): () => void {
    this.poke = listener;
    return () => (this.poke = () => undefined);
  }

  async publishNext(limit: number, publish: (messages: readonly OutboxMessage[]) => Promise<void>): Promise<number> {
    const messages = this.waiting.slice(0, limit);
    await publish(messages);
    this.published.push(...this.waiting.splice(0, messages.length));
    return messages.length;
  }

  async lastPublished(): Promise<string | undefined> {
    return this.published.at(-1)?.messageId;
  }

  async listPublished(_area: string, after: number, limit: number): Promise<readonly OutboxMessage[]> {
    if (after > 0 && this.failsListing-- > 0) throw new Error('the database is away');
    return this.published.filter(({ sequence }) => sequence > after).slice(0, limit);
  }
}

describe('the outbox relay', () => {
  let redis: RedisServer;
  let parts: ReaderParts;
  let key: string;
  let outbox: MemoryOutbox;
  let relays: OutboxRelay[];

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  beforeEach(async () => {
    const logger = AppLogger.create({ service: 'orchestrator', instance: 'o', level: 'silent' });
    const role = { url: redis.url };
    const connections = new RedisConnections({ prefix: 'test', broker: role, session: role, cache: {} }, logger);
    parts = { redis: connections, logger, metrics: new BusMetrics(new MetricsRegistry('orchestrator')) };
    key = connections.keys.events('run', 1);
    outbox = new MemoryOutbox();
    relays = [];
    await connections.client('broker').flushall();
  });
  afterEach(async () => {
    await Promise.all(relays.map((relay) => relay.stop()));
    await parts.redis.close();
  });

  function start(): OutboxRelay {
    const relay = new OutboxRelay(outbox, ['run'], parts);
    relay.start();
    relays.push(relay);
    return relay;
  }

  async function told(): Promise<string[]> {
    const entries = await parts.redis.client('broker').xrangeBuffer(key, '-', '+');
    return entries.map(([, fields]) => decodeEnvelope(fields[1])?.id ?? '');
  }

  const hasTold = (count: number) => until(async () => (await told()).length >= count, { what: `${count} events` });

  it('tells committed events in their order', async () => {
    start();
    outbox.add(450);
    await hasTold(450);
    await until(() => outbox.waiting.length === 0);
    expect(await told()).toEqual(outbox.published.map(({ messageId }) => messageId));
  });

  it('tells all again after FLUSHALL, also where that is broken off in the middle', async () => {
    start();
    outbox.add(450);
    await hasTold(450);
    outbox.failsListing = 2;
    await parts.redis.client('broker').flushall();
    await until(async () => new Set(await told()).size === 450, { what: 'every event' });
  });

  it('tells all again when ids go back, as after a failover', async () => {
    start();
    outbox.add(20);
    await hasTold(20);
    const client = parts.redis.client('broker');
    const [first] = await client.xrange(key, '-', '+', 'COUNT', 1);
    await client
      .multi()
      .del(key)
      .xadd(key, first?.[0] ?? '*', 'e', envelopeOf('msg_1'))
      .exec();
    await until(async () => new Set(await told()).size === 20, { what: 'every event' });
  });

  it('S2: tells all again, once, when a reader has found something gone', async () => {
    start();
    outbox.add(20);
    await hasTold(20);
    const mark = new StreamMark(key, parts.redis);
    await until(async () => !(await mark.isMissing()));
    await parts.redis.client('broker').xtrim(key, 'MAXLEN', 5);
    await mark.remove();
    await hasTold(25);
    outbox.add(1);
    await hasTold(26);
    expect(await told()).toHaveLength(26);
  });

  it('tells what is committed before it stops', async () => {
    const relay = start();
    outbox.add(1);
    await hasTold(1);
    outbox.add(450);
    await relay.stop();
    expect(outbox.waiting).toEqual([]);
    expect(await told()).toHaveLength(451);
  });
});

function envelopeOf(id: string): Buffer {
  const envelope = envelopeCodec.encode({
    ...{ id, kind: 'EVENT', type: 'test', version: 1, workspaceId: '', requestId: '', traceparent: '', tracestate: '' },
    ...{ ttlMs: 0, idempotencyKey: '', replyTo: '', inReplyTo: '', payload: new Uint8Array() },
  });
  return Buffer.from(envelope);
}
