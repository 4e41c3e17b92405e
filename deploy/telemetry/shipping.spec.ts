import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';

type Named = Readonly<Record<string, { readonly inputs?: readonly string[] }>>;

const read = (name: string): unknown => parse(readFileSync(join(import.meta.dirname, name), 'utf8'));

it('The collector’s pipelines name only what is declared, and all that is declared is in one', () => {
  // The form that OpenTelemetry's Collector documents.
  const collector = read('collector.yml') as Record<'receivers' | 'processors' | 'exporters', object> & {
    extensions: object;
    service: { extensions: string[]; pipelines: Record<string, Record<string, string[]>> };
  };
  const pipelines = Object.values(collector.service.pipelines);
  for (const kind of ['receivers', 'processors', 'exporters'] as const) {
    const used = pipelines.flatMap((pipeline) => pipeline[kind] ?? []);
    expect(new Set(used), kind).toEqual(new Set(Object.keys(collector[kind])));
  }
  expect(collector.service.extensions).toEqual(Object.keys(collector.extensions));
  // Sampling comes before batching, and what guards the memory before both.
  expect(collector.service.pipelines['traces']?.['processors']).toEqual(['memory_limiter', 'tail_sampling', 'batch']);
});

it('Vector’s transforms and sinks take from what is there, and nothing that is read is lost', () => {
  const vector = read('vector.yml') as Record<'sources' | 'transforms' | 'sinks', Named>;
  const given = [...Object.keys(vector.sources), ...Object.keys(vector.transforms)];
  const taken = [...Object.values(vector.transforms), ...Object.values(vector.sinks)].flatMap(
    ({ inputs = [] }) => inputs,
  );
  expect(taken.filter((name) => !given.includes(name))).toEqual([]);
  expect(given.filter((name) => !taken.includes(name))).toEqual([]);
});

it('Loki is given labels of few values alone, by either shipper', () => {
  const { sinks } = read('vector.yml') as { sinks: { loki: { labels: object } } };
  expect(Object.keys(sinks.loki.labels)).toEqual(['app', 'service', 'level']);
  const labels = /^ {4}labels +(.*)$/m.exec(readFileSync(join(import.meta.dirname, 'fluent-bit.conf'), 'utf8'))?.[1];
  expect(labels?.split(/, */).map((label) => label.split('=')[0])).toEqual(['app', 'service', 'level']);
});
