import { context, propagation, SpanKind, SpanStatusCode, trace, type Context } from '@opentelemetry/api';

interface Carrier {
  traceparent: string;
  tracestate: string;
}

const tracer = trace.getTracer('sluice.bus');
const noTrace: Carrier = { traceparent: '', tracestate: '' };

/** The present trace, as an envelope carries it. */
export function injectTrace(): Carrier {
  if (!trace.getActiveSpan()) return noTrace;
  const carrier: Partial<Carrier> = {};
  propagation.inject(context.active(), carrier);
  return { traceparent: carrier.traceparent ?? '', tracestate: carrier.tracestate ?? '' };
}

/** `<service>.<feature>.<verb>`, such as `orchestrator.run.claimRun` for `sluice.run.v1.RunService/ClaimRun`. */
export function spanName({ service, pattern }: { service: string; pattern: string }): string {
  const [, feature = 'bus', verb = pattern] = /(\w+?)(?:Service)?\/(\w+)$/.exec(pattern) ?? [];
  return `${service}.${lowerFirst(feature)}.${lowerFirst(verb)}`;
}

/** The same for an event of this type that `service` handles: `results.run.runFinished`. */
export function eventSpanName(service: string, { area, type }: { area: string; type: string }): string {
  return `${service}.${area}.${lowerFirst(type.slice(type.lastIndexOf('.') + 1))}`;
}

/** Runs the handling of a message in a span below the sender's. */
export function inTraceOf<T>(carrier: Carrier, name: string, work: () => Promise<T>): Promise<T> {
  return inTracesOf([carrier], name, work);
}

/** The same for messages that are handled together: each sender has a span, and what is done is told below the first. */
export async function inTracesOf<T>(carriers: readonly Carrier[], name: string, work: () => Promise<T>): Promise<T> {
  const parents = carriers.map(parentOf);
  const spans = parents.map((parent) => tracer.startSpan(name, { kind: SpanKind.CONSUMER }, parent));
  const [parent = context.active()] = parents;
  const [span] = spans;
  try {
    return await (span ? context.with(trace.setSpan(parent, span), work) : work());
  } catch (error) {
    for (const failed of spans) failed.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    for (const ended of spans) ended.end();
  }
}

function parentOf(carrier: Carrier): Context {
  return carrier.traceparent === '' ? context.active() : propagation.extract(context.active(), carrier);
}

function lowerFirst(word: string): string {
  return word.charAt(0).toLowerCase() + word.slice(1);
}
