import { eventStreams } from '#libs/contracts';
import type { MetricsRegistry } from '#libs/telemetry';

const areas = Object.keys(eventStreams);

/** What the bus tells of itself; labels are patterns, areas and codes, never ids. */
export class BusMetrics {
  readonly requestSeconds;
  readonly requestErrors;
  readonly handledSeconds;
  readonly queueSeconds;
  readonly inFlight: Watched;
  readonly errors;
  readonly retries;
  readonly stale;
  readonly malformed;
  readonly deadLetters;
  readonly lost;
  readonly readerErrors;
  readonly lag;
  readonly streamLength;

  constructor(metrics: MetricsRegistry) {
    this.requestSeconds = metrics.histogram({
      name: 'bus_request_seconds',
      help: 'Time from sending a request to its reply, or to giving it up.',
      labels: ['pattern'],
    });
    this.requestErrors = metrics.counter({
      name: 'bus_request_errors_total',
      help: 'Requests sent that failed, by code.',
      labels: ['pattern', 'code'],
    });
    this.handledSeconds = metrics.histogram({
      name: 'bus_handled_seconds',
      help: 'Time that handlers took.',
      labels: ['pattern'],
    });
    this.queueSeconds = metrics.histogram({
      name: 'bus_queue_seconds',
      help: 'Time that requests waited in their stream, by the clock of Redis.',
    });
    this.inFlight = new Watched((read) =>
      metrics.gauge({ name: 'bus_in_flight', help: 'Requests that are being handled.' }, (gauge) => gauge.set(read())),
    );
    this.errors = metrics.counter({
      name: 'bus_errors_total',
      help: 'Requests that were answered with a failure, by code.',
      labels: ['pattern', 'code'],
    });
    this.retries = metrics.counter({
      name: 'bus_retries_total',
      help: 'Messages that were sent or handled again.',
      labels: ['kind'],
    });
    this.stale = metrics.counter({
      name: 'bus_stale_requests_total',
      help: 'Requests dropped because nobody waited any more.',
    });
    this.malformed = metrics.counter({
      name: 'bus_malformed_total',
      help: 'Entries that hold no message of the bus.',
      labels: ['stream'],
    });
    this.deadLetters = metrics.counter({
      name: 'bus_dead_letters_total',
      help: 'Events given up after too many deliveries.',
      labels: ['area'],
      known: areas,
    });
    this.lost = metrics.counter({
      name: 'bus_lost_total',
      help: 'Entries or streams that were gone before they were read.',
      labels: ['stream'],
      known: [...areas, 'firehose'],
    });
    this.readerErrors = metrics.counter({
      name: 'bus_reader_errors_total',
      help: 'Failed reads, by reader.',
      labels: ['reader'],
    });
    this.lag = metrics.gauge({
      name: 'bus_event_lag',
      help: 'Events of an area not yet handled by a group.',
      labels: ['area', 'group'],
    });
    this.streamLength = metrics.gauge({
      name: 'bus_stream_length',
      help: 'Entries of a stream of events and of its dead letters.',
      labels: ['stream'],
    });
  }
}

/** A number that several parts of the process have a share in, summed at each scrape. */
class Watched {
  private readonly shares: (() => number)[] = [];

  constructor(register: (read: () => number) => void) {
    register(() => this.shares.reduce((sum, read) => sum + read(), 0));
  }

  watch(read: () => number): void {
    this.shares.push(read);
  }
}
