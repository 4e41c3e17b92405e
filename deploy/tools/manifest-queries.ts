import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { runTool, type DeployCheck } from './deploy-check.ts';
import { renderings } from './renderings.ts';

/** What autoscalers and canaries ask Prometheus: a query that is wrong would be silent, and nothing would ever scale. */
export const queryChecks: readonly DeployCheck[] = [
  {
    name: 'queries of autoscalers and of the canary are PromQL',
    tools: ['promtool'],
    run: () => checkByPromtool(allQueries()),
  },
  {
    name: 'metrics that manifests name are in the code',
    tools: [],
    async run() {
      const known = metricsInCode();
      const queries = allQueries();
      const named = new Set(queries.join('\n').match(/sluice_[a-z]+_[a-z_]+/g));
      const unknown = [...named].filter(
        (name) => !known.has(name.replace(/^sluice_[a-z]+_/, '').replace(/_bucket$/, '')),
      );
      if (named.size === 0 || unknown.length > 0) throw new Error(unknown.join('\n') || 'no metric was found');
      return `${named.size} metrics`;
    },
  },
];

function allQueries(): string[] {
  return [...queriesOf(renderings.flatMap(({ folder }) => manifestsOf(folder))), ...adapterQueries()];
}

/** Of prometheus-adapter, which puts in for a template what it stands for. */
function adapterQueries(): string[] {
  const { rules } = parse(readFileSync('deploy/kubernetes/prometheus-adapter.yaml', 'utf8')) as {
    rules: { custom: { seriesQuery: string; metricsQuery: string }[] };
  };
  return rules.custom.flatMap(({ seriesQuery, metricsQuery }) => [
    seriesQuery,
    metricsQuery
      .replaceAll('<<.Series>>', seriesQuery.replace(/\{.*/, ''))
      .replaceAll('<<.LabelMatchers>>', 'namespace="sluice"')
      .replaceAll('<<.GroupBy>>', 'pod'),
  ]);
}

function manifestsOf(folder: string): unknown[] {
  const text = readFileSync(join('deploy', 'kubernetes', folder, 'resources.yaml'), 'utf8');
  return (parseAllDocuments(text) as { toJS(): unknown }[]).map((document) => document.toJS());
}

/** Every value called `query`, wherever it stands. */
function queriesOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(queriesOf);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, held]) => (name === 'query' ? [String(held)] : queriesOf(held)));
}

async function checkByPromtool(queries: readonly string[]): Promise<string> {
  if (queries.length === 0) throw new Error('no query was found');
  const folder = mkdtempSync(join(tmpdir(), 'sluice-queries-'));
  try {
    const rules = queries.map((expr, index) => ({ record: `query:${index}`, expr }));
    writeFileSync(join(folder, 'rules.json'), JSON.stringify({ groups: [{ name: 'queries', rules }] }));
    // JSON is YAML.
    await runTool('promtool', ['check', 'rules', join(folder, 'rules.json')]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return `${queries.length} queries`;
}

/** The names that libs and services register, without the service in front. */
function metricsInCode(): Set<string> {
  const files = ['libs', 'services'].flatMap((root) =>
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.endsWith('spec.ts'))
      .map((path) => readFileSync(join(root, path), 'utf8')),
  );
  return new Set(files.flatMap((text) => [...text.matchAll(/name: '([a-z][a-z_]+)'/g)].map(([, name = '']) => name)));
}
