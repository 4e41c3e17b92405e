import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';

export interface TracingOptions {
  service: string;
  instance: string;
  /** Where spans go, OTLP over HTTP. Undefined: nowhere, but trace ids are made and passed on all the same. */
  otlpUrl: string | undefined;
  sampleRatio: number;
}

/** Starts tracing for this process; the answer flushes and stops it. */
export async function startTracing({
  service,
  instance,
  otlpUrl,
  sampleRatio,
}: TracingOptions): Promise<() => Promise<void>> {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': `sluice-${service}`, 'service.instance.id': instance }),
    // Spans that go nowhere are not recorded; their ids are made and passed on all the same.
    sampler:
      otlpUrl === undefined
        ? new AlwaysOffSampler()
        : new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }),
    spanProcessors: otlpUrl === undefined ? [] : [await otlpProcessor(otlpUrl)],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  return () => provider.shutdown();
}

// Loaded only where it is used: the exporter costs some megabytes.
async function otlpProcessor(url: string): Promise<SpanProcessor> {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  const { BatchSpanProcessor } = await import('@opentelemetry/sdk-trace');
  return new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url }) });
}
