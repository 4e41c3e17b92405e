import { context, propagation, SpanKind, SpanStatusCode, trace, type Attributes } from '@opentelemetry/api';
import type { RunPlan } from '#libs/contracts';

const tracer = trace.getTracer('sluice-worker');

/** Runs the work in a span of its own, under the one that is active. */
export function inSpan<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T> {
  return tracer.startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work();
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : 'failed' });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** The span of a whole run: a child of the request that asked for it, wherever that was. */
export function inRunSpan<T>({ runId, fence, traceparent }: RunPlan, work: () => Promise<T>): Promise<T> {
  const parent = propagation.extract(context.active(), { traceparent });
  return context.with(parent, () =>
    tracer.startActiveSpan(
      'worker.run.execute',
      { kind: SpanKind.CONSUMER, attributes: { 'sluice.run.id': runId, 'sluice.run.fence': fence } },
      async (span) => {
        try {
          return await work();
        } finally {
          span.end();
        }
      },
    ),
  );
}
