import { context, propagation, SpanKind, SpanStatusCode, trace, type Span } from '@opentelemetry/api';

interface Carrier {
  traceparent: string;
  tracestate: string;
}

const tracer = trace.getTracer('sluice.bus');

/** The present trace, as an envelope carries it. */
export function injectTrace(): Carrier {
  const carrier: Partial<Carrier> = {};
  propagation.inject(context.active(), carrier);
  return { traceparent: carrier.traceparent ?? '', tracestate: carrier.tracestate ?? '' };
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
