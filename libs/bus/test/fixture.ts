import type { MessageHandler } from '@nestjs/microservices';
import { envelopeCodec, runFinished, workerRequests, type Envelope, type RunFinished } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { RedisConnections, type RedisSettings } from '#libs/redis';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { startRedis, type RedisServer } from '#libs/testing';
import type { ReaderParts } from '../src/blocking-reader.js';
import type { BusContext } from '../src/bus-context.js';
import { BusClient, type RequestOptions } from '../src/bus-client.js';
import { BusMetrics } from '../src/bus-metrics.js';
import { RequestDispatcher } from '../src/dispatcher.js';
import { EventReader, type EventReaderOptions } from '../src/event-reader.js';
import { serviceContext } from '../src/message-context.js';
import type { GatheredEvent } from '../src/handles.js';
import { RequestReader } from '../src/request-reader.js';

type RoleSettings = RedisSettings['broker'];
export type Stop = { runId: string; fence: number; timedOut: boolean };
export type HandleStop = (input: Stop, context: BusContext) => Promise<{ stopping: boolean }>;

const place = { area: 'run', group: 'results', concurrency: 4, claimAfterMs: 100, deliveriesMax: 3 };

/** A Redis of the test's own, and the parts of a bus on it; all closes with it. */
export class BusFixture implements AsyncDisposable {
  readonly parts: ReaderParts;
  readonly registry = new MetricsRegistry('test');
  private readonly closing: (() => Promise<unknown>)[] = [];

  private constructor(
    private readonly role: RoleSettings,
    private readonly own?: RedisServer,
  ) {
    this.parts = this.partsOn(undefined, this.registry);
  }

  static async start(): Promise<BusFixture> {
    const server = await startRedis();
    return new BusFixture({ url: server.url }, server);
  }

  /** On servers that somebody else has started and stops. */
  static on(role: RoleSettings): BusFixture {
    return new BusFixture(role);
  }

  get server(): RedisServer {
    if (!this.own) throw new Error('this bus has no server of its own');
    return this.own;
  }

  get redis() {
    return this.parts.redis.client('broker');
  }

  get requestKey(): string {
    return this.parts.redis.keys.requests('worker');
  }

  get eventKey(): string {
    return this.parts.redis.keys.events('run', 1);
  }

  /** On connections of its own, as another process would be. */
  partsOn(port?: number, registry = new MetricsRegistry('other')): ReaderParts {
    const logger = AppLogger.create({ service: 'test', instance: 'test', level: 'silent' });
    const role = port === undefined ? this.role : { url: `redis://127.0.0.1:${port}` };
    const redis = new RedisConnections({ prefix: 'test', broker: role, session: role, cache: {} }, logger);
    this.closing.push(() => redis.close());
    return { redis, logger, metrics: new BusMetrics(registry) };
  }

  /** Answers stopRun. */
  serve(consumer: string, handle: HandleStop, concurrency = 8): RequestReader {
    const parts = this.partsOn();
    const reader = new RequestReader(
      ...[this.requestKey, 'worker', consumer, this.dispatcher(handle, parts), parts, concurrency],
    );
    reader.start();
    this.closing.unshift(() => reader.drain());
    return reader;
  }

  dispatcher(handle: HandleStop, parts = this.parts): RequestDispatcher {
    const handlers = new Map([[workerRequests.stopRun.pattern, handle as MessageHandler]]);
    return new RequestDispatcher([workerRequests.stopRun], handlers, parts);
  }

  connect(instance: string, port?: number): BusClient {
    const client = new BusClient(instance, this.partsOn(port));
    client.start();
    this.closing.unshift(() => client.stop());
    return client;
  }

  ask(client: BusClient, options: Partial<RequestOptions> = {}, runId = 'run_1'): Promise<{ stopping: boolean }> {
    const context = serviceContext('orchestrator', 'wsp_1', 'req_1');
    return client.request(workerRequests.stopRun, { runId, fence: 1, timedOut: false }, { context, ...options });
  }

  /** Handles RunFinished in the group `results`. */
  readEvents(
    consumer: string,
    handle: (event: RunFinished, context: BusContext) => Promise<void>,
    options: Partial<EventReaderOptions> = {},
    onLoss: () => void = () => undefined,
  ): EventReader {
    return this.readBy(handle as MessageHandler, consumer, options, onLoss);
  }

  /** The same by a handler that takes what has gathered. */
  readGathered(
    consumer: string,
    handle: (events: readonly GatheredEvent<RunFinished>[]) => Promise<void>,
    options: Partial<EventReaderOptions> = {},
  ): EventReader {
    return this.readBy(Object.assign(handle as MessageHandler, { extras: { isGathered: true } }), consumer, options);
  }

  private readBy(
    handler: MessageHandler,
    consumer: string,
    options: Partial<EventReaderOptions>,
    onLoss: () => void = () => undefined,
  ): EventReader {
    const handlers = new Map([[runFinished.type, handler]]);
    const reader = new EventReader(
      ...([{ ...place, key: this.eventKey, consumer, ...options }, [runFinished], handlers] as const),
      ...([this.partsOn(undefined, new MetricsRegistry('reader')), onLoss] as const),
    );
    reader.start();
    this.closing.unshift(() => reader.drain());
    return reader;
  }

  async tell(runId: string, envelope: Partial<Envelope> = {}): Promise<string> {
    const bytes = envelopeCodec.encode({
      ...{ id: newId('message'), kind: 'EVENT', type: runFinished.type, version: 1, workspaceId: 'wsp_1' },
      ...{ requestId: 'req_1', traceparent: '', tracestate: '', ttlMs: 0, idempotencyKey: '', replyTo: '' },
      inReplyTo: '',
      payload: runFinished.codec.encode({ runId, workspaceId: 'wsp_1', fence: 1, state: 'SUCCEEDED' }),
      ...envelope,
    });
    return String(await this.redis.xadd(this.eventKey, '*', 'e', Buffer.from(bytes)));
  }

  /** Events that the group has been handed and not acknowledged. */
  async pending(): Promise<number> {
    return Number((await this.redis.xpending(this.eventKey, 'results'))[0]);
  }

  /** Hands the next events to a consumer that does nothing with them, as often as is said. */
  async handToDead(ids: readonly string[], times: number): Promise<void> {
    await this.redis.xgroup('CREATE', this.eventKey, 'results', '0', 'MKSTREAM').catch(() => undefined);
    await this.redis.xreadgroup('GROUP', 'results', 'dead', 'COUNT', ids.length, 'STREAMS', this.eventKey, '>');
    for (let time = 1; time < times; time += 1) {
      await this.redis.xclaim(this.eventKey, 'results', 'dead', 0, ...ids);
    }
  }

  async metric(name: string, label = ''): Promise<number> {
    const { body } = await this.registry.expose();
    const line = body.split('\n').find((each) => each.startsWith(`sluice_test_${name}`) && each.includes(label));
    return Number(line?.split(' ').at(-1) ?? 0);
  }

  onClose(close: () => Promise<unknown>): void {
    this.closing.unshift(close);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.closing) await close();
    await this.own?.stop();
  }
}
