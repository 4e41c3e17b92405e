import { context, propagation, SpanKind, SpanStatusCode, trace, type Span } from '@opentelemetry/api';

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
export async function inTraceOf<T>(carrier: Carrier, name: string, work: () => Promise<T>): Promise<T> {
  const parent = carrier.traceparent === '' ? context.active() : propagation.extract(context.active(), carrier);
  return tracer.startActiveSpan(name, { kind: SpanKind.CONSUMER }, parent, (span) => ended(span, work));
}

async function ended<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

function lowerFirst(word: string): string {
  return word.charAt(0).toLowerCase() + word.slice(1);
}
