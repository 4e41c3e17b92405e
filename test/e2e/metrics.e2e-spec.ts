import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readDocumentedMetrics } from '../../deploy/telemetry/observed.ts';
import { runToEnd } from '../support/executions.js';
import { readSpans } from '../support/otlp-receiver.js';
import { sharedMesh } from '../support/running-mesh.js';
import { unique } from '../support/slow-queries.js';
import { until } from '#libs/testing';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const openMetrics = 'application/openmetrics-text; version=1.0.0';
const services = ['gateway', 'auth', 'metadata', 'orchestrator', 'worker', 'results'];

interface Told {
  readonly type: string;
  readonly help: string;
  readonly labels: ReadonlySet<string>;
}

async function metricsOf(service: string, accept = 'text/plain'): Promise<string> {
  return (await fetch(`${mesh.access.operationsUrls[service]}/metrics`, { headers: { accept } })).text();
}

function toldIn(text: string): Map<string, Told> {
  const helps = new Map([...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name = '', help = '']) => [name, help]));
  const types = [...text.matchAll(/^# TYPE (sluice_\S+) (\S+)$/gm)];
  return new Map(
    types.map(([, name = '', type = '']) => [
      name,
      { type, help: helps.get(name) ?? '', labels: labelsOf(text, name) },
    ]),
  );
}

function labelsOf(text: string, name: string): Set<string> {
  const series = text.matchAll(new RegExp(`^${name}(?:_bucket|_sum|_count)?\\{(.*)\\} \\S+$`, 'gm'));
  const labels = [...series].flatMap(([, inside = '']) =>
    [...inside.matchAll(/(\w+)="/g)].map(([, label = '']) => label),
  );
  return new Set(labels.filter((label) => label !== 'service' && label !== 'le'));
}

describe('The table of metrics in docs/observability.md', () => {
  let told = new Map<string, Told>();
  const documented = new Map(
    readDocumentedMetrics().flatMap((metric) =>
      services.map((service) => [metric.name.replace('<service>', service), metric] as const),
    ),
  );

  beforeAll(async () => {
    await runToEnd(mesh.admin, (await mesh.source('flights_pg')).id, unique('select 1 as measured'));
    const texts = await Promise.all(services.map((service) => metricsOf(service)));
    told = new Map(texts.flatMap((text) => [...toldIn(text)]));
  });

  test('has every metric that a running installation tells, with its type and meaning', () => {
    const rows = [...told].map(([name, { type, help }]) => ({ name, type, help }));
    expect(
      rows.filter(({ name, type, help }) => {
        const row = documented.get(name);
        return row?.type !== type || row.help !== help;
      }),
    ).toEqual([]);
  });

  test('has no metric that nobody tells', () => {
    const wanted = readDocumentedMetrics().map(({ name }) => name);
    const isTold = (name: string) => services.some((service) => told.has(name.replace('<service>', service)));
    expect(wanted.filter((name) => !isTold(name))).toEqual([]);
  });

  test('names every label that was seen', () => {
    const missing = [...told].flatMap(([name, { labels }]) =>
      [...labels].filter((label) => !documented.get(name)?.labels.includes(label)).map((label) => `${name}: ${label}`),
    );
    expect(missing).toEqual([]);
  });
});

describe('OpenMetrics', () => {
  test('is told to who asks for it, and the older text to all others', async () => {
    const [newer, older] = [await metricsOf('gateway', openMetrics), await metricsOf('gateway')];
    expect(newer).toMatch(/^# TYPE sluice_gateway_requests counter$/m);
    expect(newer).toMatch(/\n# EOF\n$/);
    expect(older).toMatch(/^# TYPE sluice_gateway_requests_total counter$/m);
    expect(older).not.toMatch(/# EOF| # \{/);
  });

  test.each([
    ['gateway', 'request_seconds'],
    ['worker', 'execution_seconds'],
    ['orchestrator', 'bus_request_seconds'],
  ])('leads from a bucket of %s_%s to a trace that was kept', async (service, metric) => {
    const exemplar = new RegExp(
      `^sluice_${service}_${metric}_bucket\\{.*\\} \\d+ # \\{trace_id="([0-9a-f]{32})",span_id="[0-9a-f]{16}"\\} \\S+ \\S+$`,
      'm',
    );
    await runToEnd(mesh.admin, (await mesh.source('flights_pg')).id, unique('select 1 as exemplary'));
    const [, traceId = ''] = exemplar.exec(await metricsOf(service, openMetrics)) ?? [];
    expect(traceId).not.toBe('');
    await until(async () => (await readSpans(mesh.access.spansUrl ?? '')).some((span) => span.traceId === traceId), {
      ...{ timeoutMs: 15_000, what: `the trace ${traceId}` },
    });
  });
});
