import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: { readonly severity?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Panel {
  readonly id: number;
  readonly title: string;
  readonly datasource: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly w: number };
  readonly fieldConfig: { readonly defaults: { readonly unit?: string } };
  readonly targets: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
}

export interface Dashboard {
  readonly file: string;
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] };
}

const root = resolve(import.meta.dirname, '../..');
const alertsFolder = join(root, 'deploy/alerts');
const dashboardsFolder = join(root, 'deploy/dashboards');

const yamlFiles = (folder: string): string[] => readdirSync(folder).filter((name) => name.endsWith('.yml'));

/** Every rule of deploy/alerts. */
export function readRules(): Rule[] {
  return yamlFiles(alertsFolder).flatMap((name) => {
    // The form of rule files, which promtool checks.
    const { groups } = parse(readFileSync(join(alertsFolder, name), 'utf8')) as { groups: { rules: Rule[] }[] };
    return groups.flatMap(({ rules }) => rules);
  });
}

export interface AlertTest {
  readonly alertname: string;
  readonly fires: boolean;
}

/** What the unit tests of deploy/alerts/tests expect of which alert. */
export function readAlertTests(): AlertTest[] {
  const folder = join(alertsFolder, 'tests');
  return yamlFiles(folder).flatMap((name) => {
    // The form of promtool's unit tests.
    const { tests } = parse(readFileSync(join(folder, name), 'utf8')) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
    };
    return tests.flatMap(({ alert_rule_test: alerts }) =>
      alerts.map(({ alertname, exp_alerts: expected }) => ({ alertname, fires: expected.length > 0 })),
    );
  });
}

/** Every dashboard of deploy/dashboards. */
export function readDashboards(): Dashboard[] {
  return readdirSync(dashboardsFolder)
    .filter((name) => name.endsWith('.json'))
    .map((file) => ({
      ...(JSON.parse(readFileSync(join(dashboardsFolder, file), 'utf8')) as Omit<Dashboard, 'file'>),
      file,
    }));
}

export interface DocumentedMetric {
  /** With the service's name in it, or `<service>` where several tell it. */
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

/** The table of metrics in docs/observability.md. */
export function readDocumentedMetrics(): DocumentedMetric[] {
  const rows = readFileSync(join(root, 'docs/observability.md'), 'utf8').matchAll(
    /^\| `(sluice_[a-z_<>]+)` \| (counter|gauge|histogram) \| ([^|]*) \| (.*) \|$/gm,
  );
  return [...rows].map(([, name = '', type = '', labels = '', help = '']) => ({
    ...{ name, type, help },
    labels: [...labels.matchAll(/`([a-z_]+)`/g)].map(([, label = '']) => label),
  }));
}

/** Metrics of programs that are not ours, one a line. */
export function readExporterMetrics(): Set<string> {
  const lines = readFileSync(join(root, 'deploy/telemetry/exporter-metrics.txt'), 'utf8').split('\n');
  return new Set(lines.filter((line) => line !== '' && !line.startsWith('#')));
}
