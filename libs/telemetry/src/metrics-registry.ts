import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

interface MetricOptions<Label extends string> {
  /** Without the prefix, such as `bus_messages_total`: noun, unit, and `_total` for counters. */
  name: string;
  help: string;
  /** Of few values each; never an id. */
  labels?: readonly Label[];
}

/** Upper bounds in seconds that tell a millisecond from a minute. */
const secondsBuckets = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 1800,
];

/** The metrics of one process, named `sluice_<service>_<noun>_<unit>[_total]`. */
export class MetricsRegistry {
  readonly registry = new Registry();

  constructor(readonly service: string) {
    this.registry.setDefaultLabels({ service });
  }

  /** Adds the process's own: memory, CPU, event-loop delay, garbage collection. */
  collectProcess(): void {
    collectDefaultMetrics({ register: this.registry });
  }

  counter<Label extends string = never>({ name, help, labels = [] }: MetricOptions<Label>): Counter<Label> {
    return new Counter({ name: this.nameOf(name), help, labelNames: [...labels], registers: [this.registry] });
  }

  /** `collect` is called at each scrape. */
  gauge<Label extends string = never>(
    { name, help, labels = [] }: MetricOptions<Label>,
    collect?: (gauge: Gauge<Label>) => void | Promise<void>,
  ): Gauge<Label> {
    return new Gauge<Label>({
      name: this.nameOf(name),
      help,
      labelNames: [...labels],
      registers: [this.registry],
      ...(collect
        ? {
            collect(this: Gauge<Label>) {
              return collect(this);
            },
          }
        : {}),
    });
  }

  /** Durations in seconds unless other buckets are given. */
  histogram<Label extends string = never>(
    { name, help, labels = [] }: MetricOptions<Label>,
    buckets: readonly number[] = secondsBuckets,
  ): Histogram<Label> {
    return new Histogram({
      name: this.nameOf(name),
      help,
      labelNames: [...labels],
      buckets: [...buckets],
      registers: [this.registry],
    });
  }

  /** The text that Prometheus reads. */
  async expose(): Promise<{ contentType: string; body: string }> {
    return { contentType: this.registry.contentType, body: await this.registry.metrics() };
  }

  private nameOf(name: string): string {
    return `sluice_${this.service}_${name}`;
  }
}
