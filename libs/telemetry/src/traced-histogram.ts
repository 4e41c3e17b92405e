import { trace, TraceFlags } from '@opentelemetry/api';
import { Histogram, type HistogramConfiguration, type LabelValues } from 'prom-client';

type Ends<Label extends string> = (labels?: LabelValues<Label>) => number;

/**
 * A histogram whose buckets each remember the last sampled trace that fell into them (an exemplar): from a slow bucket of a
 * dashboard it is one step to an example of what was slow.
 */
export class TracedHistogram<Label extends string> {
  private readonly histogram: Histogram<Label>;

  constructor(configuration: HistogramConfiguration<Label>) {
    this.histogram = new Histogram({ ...configuration, enableExemplars: true });
  }

  observe(value: number): void;
  observe(labels: LabelValues<Label>, value: number): void;
  observe(...args: [number] | [LabelValues<Label>, number]): void {
    const [labels, value] = args.length === 2 ? args : [{}, args[0]];
    // Its types want the labels of the metric here; what it takes, and writes, are any.
    const exemplarLabels = traceLabels() as LabelValues<Label>;
    this.histogram.observe({ labels, value, exemplarLabels });
  }

  /** @returns what ends it, with more labels, and answers the seconds */
  startTimer(labels: LabelValues<Label> = {}): Ends<Label> {
    const begunMs = performance.now();
    return (more) => {
      const seconds = (performance.now() - begunMs) / 1_000;
      this.observe({ ...labels, ...more }, seconds);
      return seconds;
    };
  }
}

/** Of the span at hand, where it is kept; else of none. */
function traceLabels(): Record<string, string> {
  const context = trace.getActiveSpan()?.spanContext();
  if (!context || (context.traceFlags & TraceFlags.SAMPLED) === 0) return {};
  return { trace_id: context.traceId, span_id: context.spanId };
}
