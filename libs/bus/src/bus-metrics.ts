import type { MetricsRegistry } from '#libs/telemetry';

/** What the bus tells of itself; labels are patterns, areas and codes, never ids. */
export class BusMetrics {
  readonly requestSeconds;
  readonly handledSeconds;
  readonly errors;
  readonly retries;
  readonly stale;
  readonly deadLetters;
  readonly lost;
  readonly readerErrors;
  readonly lag;

  constructor(metrics: MetricsRegistry) {
    this.requestSeconds = metrics.histogram({
      name: 'bus_request_seconds',
      help: 'Time from sending a request to its reply.',
      labels: ['pattern'],
    });
    this.handledSeconds = metrics.histogram({
      name: 'bus_handled_seconds',
      help: 'Time that handlers took.',
      labels: ['pattern'],
    });
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
    this.deadLetters = metrics.counter({
      name: 'bus_dead_letters_total',
      help: 'Events given up after too many deliveries.',
      labels: ['area'],
    });
    this.lost = metrics.counter({
      name: 'bus_lost_total',
      help: 'Entries or streams that were gone before they were read.',
      labels: ['stream'],
    });
    this.readerErrors = metrics.counter({
      name: 'bus_reader_errors_total',
      help: 'Failed reads, by reader.',
      labels: ['reader'],
    });
    this.lag = metrics.gauge({
      name: 'bus_event_lag',
      help: 'Events of an area not yet handled by this service.',
      labels: ['area'],
    });
  }
}
