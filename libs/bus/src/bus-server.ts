import { Server, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices';
import { events, eventStreams, requestsByService, type EventArea, type ServiceName } from '#libs/contracts';
import type { ReaderParts } from './blocking-reader.js';
import type { BusClient } from './bus-client.js';
import { RequestDispatcher } from './dispatcher.js';
import { EventReader } from './event-reader.js';
import { RequestReader } from './request-reader.js';
import { Slots } from './slots.js';
import { StreamTrimmer } from './stream-trimmer.js';

export interface BusServerOptions {
  service: ServiceName;
  /** Handlers of requests that run at once in this process. */
  requestsMax?: number;
  eventsMax?: number;
  claimAfterMs?: number;
  deliveriesMax?: number;
}

const trimEveryMs = 30_000;

/** Nest's transport over Redis streams: reads the service's requests, the requests directed to this instance, and the events of its groups. */
export class BusServer extends Server implements CustomTransportStrategy {
  private readonly readers: { start(): void; drain(): Promise<void> }[] = [];
  private readonly directed: Slots;
  private trimming: NodeJS.Timeout | undefined;

  constructor(
    private readonly options: BusServerOptions,
    private readonly client: BusClient,
    private readonly parts: ReaderParts,
  ) {
    super();
    this.directed = new Slots(options.requestsMax ?? 64);
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

  async close(): Promise<void> {
    clearInterval(this.trimming);
    await Promise.all([...this.readers.map((reader) => reader.drain()), this.directed.idle()]);
  }

  on(): never {
    throw new Error('the bus has no events of its own to listen to');
  }

  unwrap<T>(): T {
    throw new Error('the bus has no underlying server');
  }

  private start(): void {
    const { service, requestsMax = 64, eventsMax = 16, claimAfterMs = 30_000, deliveriesMax = 10 } = this.options;
    const handlers = this.getHandlers();
    const areas = areasOf(service);
    refuseMismatch(service, areas, handlers);
    const dispatcher = new RequestDispatcher(requestsByService[service], handlers, this.parts);
    const { keys } = this.parts.redis;
    const consumer = this.client.instance;
    this.readers.push(
      new RequestReader(keys.requests(service), service, consumer, dispatcher, this.parts, requestsMax),
    );
    for (const area of areas) {
      const key = keys.events(area, eventStreams[area].version);
      const ofArea = events.filter((contract) => contract.area === area);
      const options = { area, key, group: service, consumer, concurrency: eventsMax, claimAfterMs, deliveriesMax };
      this.readers.push(new EventReader(options, ofArea, handlers, this.parts, () => undefined));
    }
    this.client.inbox.on('REQUEST', ({ envelope }) => {
      this.directed.run(() => dispatcher.dispatch(envelope, envelope.ttlMs));
    });
    for (const reader of this.readers) reader.start();
    this.trimming = setInterval(() => void this.trim(areas), trimEveryMs);
    this.trimming.unref();
  }

  private async trim(areas: readonly EventArea[]): Promise<void> {
    for (const area of areas) {
      try {
        await new StreamTrimmer(area, this.parts).trim();
      } catch (err) {
        this.parts.logger.warn({ err, area }, 'a stream could not be trimmed');
      }
    }
  }
}

function areasOf(service: ServiceName): EventArea[] {
  // The keys of the registry's own table.
  return (Object.keys(eventStreams) as EventArea[]).filter((area) => eventStreams[area].groups.includes(service));
}

function refuseMismatch(
  service: ServiceName,
  areas: readonly EventArea[],
  handlers: ReadonlyMap<string, MessageHandler>,
): void {
  const wanted = [
    ...requestsByService[service].map((contract) => contract.pattern),
    ...events.filter((contract) => areas.includes(contract.area)).map((contract) => contract.type),
  ];
  const faults = [
    ...wanted.filter((pattern) => !handlers.has(pattern)).map((pattern) => `nothing handles ${pattern}`),
    ...[...handlers.keys()]
      .filter((pattern) => !wanted.includes(pattern))
      .map((pattern) => `${pattern} has no contract of ${service}`),
    ...[...handlers].filter(([, handler]) => handler.next).map(([pattern]) => `${pattern} is handled twice`),
  ];
  if (faults.length > 0)
    throw new Error(`The handlers of ${service} do not fit the registry:\n  ${faults.join('\n  ')}`);
}
