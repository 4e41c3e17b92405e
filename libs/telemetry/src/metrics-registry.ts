import { collectDefaultMetrics, Counter, Gauge, Registry, type OpenMetricsContentType } from 'prom-client';
import { withinScrape } from './within-scrape.js';
import { toPlainText } from './plain-metrics-text.js';
import { TracedHistogram } from './traced-histogram.js';

interface CounterOptions<Label extends string> extends MetricOptions<Label> {
  /**
   * Values of its label that are known from the start. Their series begin at 0: to Prometheus a series that begins at 1 has
   * not grown, and an alert on a first event would not hear of it.
   */
  known?: readonly string[];
}

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
  /** Of OpenMetrics, which alone carries exemplars. */
  readonly registry = new Registry<OpenMetricsContentType>();

  constructor(readonly service: string) {
    this.registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    this.registry.setDefaultLabels({ service });
  }

  /** Adds the process's own: memory, CPU, event-loop delay, garbage collection. */
  collectProcess(): void {
    // The delay is found by a timer. Every 10 ms, its default, took a twentieth to a tenth of an idle installation's processor time more.
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: 50 });
  }

  counter<Label extends string = never>({
    name,
    help,
    labels = [],
    known = [],
  }: CounterOptions<Label>): Counter<Label> {
    const labelNames = ofFewValues(labels);
    const counter = new Counter({ name: this.nameOf(name), help, labelNames, registers: [this.registry] });
    const [label, ...others] = labelNames;
    if (label === undefined || others.length > 0) return counter;
    for (const value of known) counter.labels(value).inc(0);
    return counter;
  }

  /**
   * `collect` is called at each scrape. Where it fails or takes long, the gauge is not told: the other metrics are worth most
   * while a dependency is away, whose absence shows in `dependency_up`.
   */
  gauge<Label extends string = never>(
    { name, help, labels = [] }: MetricOptions<Label>,
    collect?: (gauge: Gauge<Label>) => void | Promise<void>,
  ): Gauge<Label> {
    return new Gauge<Label>({
      name: this.nameOf(name),
      help,
      labelNames: ofFewValues(labels),
      registers: [this.registry],
      ...(collect
        ? {
            async collect(this: Gauge<Label>) {
              const isTold = await withinScrape(() => collect(this));
              if (isTold) return;
              // Without labels, reset() would tell a zero that nobody has counted.
              if (labels.length === 0) this.remove();
              else this.reset();
            },
          }
        : {}),
    });
  }

  /** Durations in seconds unless other buckets are given. Each bucket remembers the last trace that fell into it. */
  histogram<Label extends string = never>(
    { name, help, labels = [] }: MetricOptions<Label>,
    buckets: readonly number[] = secondsBuckets,
  ): TracedHistogram<Label> {
    return new TracedHistogram({
      name: this.nameOf(name),
      help,
      labelNames: ofFewValues(labels),
      buckets: [...buckets],
      registers: [this.registry],
    });
  }

  /** The text that Prometheus reads: OpenMetrics, with exemplars, for who accepts that, and its older form for all others. */
  async expose(accept = ''): Promise<{ contentType: string; body: string }> {
    const body = await this.registry.metrics();
    return accept.includes('application/openmetrics-text')
      ? { contentType: this.registry.contentType, body }
      : { contentType: Registry.PROMETHEUS_CONTENT_TYPE, body: toPlainText(body) };
  }

  private nameOf(name: string): string {
    return `sluice_${this.service}_${name}`;
  }
}

const namesOfMany = /(^|_)(ids?|workspace|user|email|caller|execution|run|sql)$/;

/** A label of a workspace or a user makes as many series as there are of them, and tells who does what to whoever reads metrics. */
function ofFewValues<Label extends string>(labels: readonly Label[]): Label[] {
  const wrong = labels.filter((label) => namesOfMany.test(label));
  if (wrong.length > 0) throw new Error(`no metric may have the label ${wrong.join(', ')}: it has too many values`);
  return [...labels];
}
