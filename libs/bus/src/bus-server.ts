import { Server, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices';
import { events, eventStreams, requestsByService, type EventArea, type ServiceName } from '#libs/contracts';
import { delay } from '#libs/kernel';
import type { ReaderParts } from './blocking-reader.js';
import type { BusClient } from './bus-client.js';
import { refuseMismatch } from './check-handlers.js';
import { DirectedRequests } from './directed-requests.js';
import { RequestDispatcher } from './dispatcher.js';
import { EventReader } from './event-reader.js';
import { RequestReader } from './request-reader.js';
import { StreamMark } from './stream-mark.js';
import { StreamTrimmer } from './stream-trimmer.js';

export interface BusServerOptions {
  service: ServiceName;
  /** Handlers of requests that run at once in this process. */
  requestsMax?: number;
  eventsMax?: number;
  claimAfterMs?: number;
  deliveriesMax?: number;
}

const housekeepingMs = 30_000;

interface Reader {
  start(): void;
  tidy(): Promise<void>;
  drain(): Promise<void>;
}

/** Nest's transport over Redis streams: reads the service's requests, the requests directed to this instance, and the events of its groups. */
export class BusServer extends Server implements CustomTransportStrategy {
  /** A failed event is this transport's own to log and to bring again. */
  override readonly propagatesEventHandlerErrors = true;
  private readonly readers: Reader[] = [];
  private readonly trimmers: StreamTrimmer[] = [];
  private readonly duplicates = new Set<string>();
  private readonly stopping = new AbortController();
  private directed: DirectedRequests | undefined;

  constructor(
    private readonly options: BusServerOptions,
    private readonly client: BusClient,
    private readonly parts: ReaderParts,
  ) {
    super();
  }

  override addHandler(pattern: unknown, callback: MessageHandler, isEventHandler = false, extras = {}): void {
    // Nest would quietly keep the last one.
    const known = typeof pattern === 'string' && this.messageHandlers.has(pattern);
    if (known) this.duplicates.add(pattern);
    super.addHandler(pattern, callback, isEventHandler, extras);
  }

  /** @throws Error naming every contract without a handler and every handler without a contract */
  listen(callback: (error?: unknown) => void): void {
    try {
      this.start();
      callback();
    } catch (error) {
      callback(error);
    }
  }

  /** Takes nothing new and finishes what runs, its replies included. */
  async close(): Promise<void> {
    this.stopping.abort();
    await Promise.all([...this.readers.map((reader) => reader.drain()), this.directed?.drain()]);
  }

  on(): never {
    throw new Error('the bus has no events of its own to listen to');
  }

  unwrap<T>(): T {
    throw new Error('the bus has no underlying server');
  }

  private start(): void {
    const { service, requestsMax = 64 } = this.options;
    const handlers = this.getHandlers();
    const areas = areasOf(service);
    refuseMismatch(service, areas, handlers, this.duplicates);
    const { parts, client } = this;
    const { keys } = parts.redis;
    const dispatcher = new RequestDispatcher(requestsByService[service], handlers, parts);
    this.readers.push(
      new RequestReader(keys.requests(service), service, client.instance, dispatcher, parts, requestsMax),
      ...areas.map((area) => this.eventReader(area, handlers)),
    );
    this.trimmers.push(...areas.map((area) => new StreamTrimmer(area, parts)));
    const directed = new DirectedRequests(client.inbox.key, dispatcher, parts, requestsMax);
    client.inbox.hearRequests((entries) => void directed.take(entries));
    this.directed = directed;
    for (const reader of this.readers) reader.start();
    void this.keepHouse();
  }

  private eventReader(area: EventArea, handlers: ReadonlyMap<string, MessageHandler>): EventReader {
    const { service, eventsMax = 16, claimAfterMs = 30_000, deliveriesMax = 10 } = this.options;
    const { redis, logger } = this.parts;
    const { version, ordered = false } = eventStreams[area];
    const key = redis.keys.events(area, version);
    const mark = new StreamMark(key, redis);
    return new EventReader(
      ...[
        {
          area,
          key,
          group: service,
          consumer: this.client.instance,
          ordered,
          concurrency: ordered ? 1 : eventsMax,
          claimAfterMs,
          deliveriesMax: ordered ? Infinity : deliveriesMax,
        },
      ],
      ...([events.filter((contract) => contract.area === area), handlers, this.parts] as const),
      () => {
        mark
          .remove()
          .catch((err: unknown) => logger.warn({ err, area }, 'a loss of events could not be told to their sender'));
      },
    );
  }

  /** Every instance does it; what one has done is nothing to do for the next. */
  private async keepHouse(): Promise<void> {
    const { signal } = this.stopping;
    const tasks = [
      ...this.readers.map((reader) => () => reader.tidy()),
      ...this.trimmers.map((each) => () => each.trim()),
    ];
    for (;;) {
      await delay(housekeepingMs * (0.75 + Math.random() / 2), { signal, unref: true });
      if (signal.aborted) return;
      for (const task of tasks) {
        await task().catch((err: unknown) => this.parts.logger.warn({ err }, 'housekeeping of the bus failed'));
      }
    }
  }
}

function areasOf(service: ServiceName): EventArea[] {
  // The keys of the registry's own table.
  return (Object.keys(eventStreams) as EventArea[]).filter((area) => eventStreams[area].groups.includes(service));
}
