import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { metricsIn } from './metrics-in.ts';
import {
  readAlertTests,
  readDashboards,
  readDocumentedMetrics,
  readExporterMetrics,
  readRules,
  type Dashboard,
} from './observed.ts';

const root = resolve(import.meta.dirname, '../..');
const services = ['gateway', 'auth', 'metadata', 'orchestrator', 'worker', 'results'];
const rules = readRules();
const alerts = rules.filter((rule) => rule.alert !== undefined);
const dashboards = readDashboards();
const recorded = new Set(rules.flatMap(({ record }) => record ?? []));

const ours = new Set(
  readDocumentedMetrics().flatMap(({ name, type }) =>
    services
      .map((service) => name.replace('<service>', service))
      .flatMap((each) => (type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => each + end) : [each])),
  ),
);
const known = new Set([...ours, ...recorded, ...readExporterMetrics()]);

/** All that a process of ours may say in its log. */
const sources = ['libs', 'services']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('spec.ts'))
      .map((name) => readFileSync(join(root, folder, name), 'utf8')),
  )
  .join('\n');

const panelsOf = (dashboard: Dashboard) => dashboard.panels.map((panel) => ({ dashboard: dashboard.file, ...panel }));
const panels = dashboards.flatMap(panelsOf);
const expressions = [
  ...rules.map(({ record, alert, expr }) => ({ where: alert ?? record ?? '', expr })),
  ...panels.flatMap(({ dashboard, title, targets }) =>
    targets.map(({ expr }) => ({ where: `${dashboard}: ${title}`, expr })),
  ),
];

describe('Alerts', () => {
  it('say how grave they are, what has happened and what to do, and each has its runbook', () => {
    expect(alerts.length).toBeGreaterThan(40);
    for (const { alert, labels, annotations } of alerts) {
      expect(alert).toMatch(/^Sluice[A-Z]\w+$/);
      expect(['critical', 'warning', 'info'], alert).toContain(labels?.severity);
      expect(annotations, alert).toMatchObject({
        summary: expect.any(String),
        description: expect.any(String),
        runbook_url: `deploy/runbooks/${alert}.md`,
      });
      expect(existsSync(join(root, annotations?.['runbook_url'] ?? '')), alert).toBe(true);
    }
  });

  it('are each tested to fire, and to be quiet on a healthy installation', () => {
    const tests = readAlertTests();
    const names = (fires: boolean) =>
      new Set(tests.filter((test) => test.fires === fires).map((test) => test.alertname));
    for (const { alert } of alerts) {
      expect(names(true), `no test makes ${alert} fire`).toContain(alert);
      expect(names(false), `no test has ${alert} quiet`).toContain(alert);
    }
  });

  it.each(alerts.map(({ alert }) => alert))(
    'have runbooks that name settings, runbooks, metrics and lines of the log that exist: %s',
    (alert) => {
      const text = readFileSync(join(root, `deploy/runbooks/${alert}.md`), 'utf8');
      for (const heading of ['## See', '## Do', '## Check afterwards']) expect(text).toContain(heading);
      const settings = readFileSync(join(root, 'docs/settings.md'), 'utf8');
      const named = (text.match(/\bSLUICE_[A-Z_]+[A-Z]\b/g) ?? []).filter((name) => name !== 'SLUICE_');
      expect(named.filter((name) => !settings.includes(`\`${name}\``))).toEqual([]);
      const links = [...text.matchAll(/\]\((Sluice\w+\.md)\)/g)].map(([, file = '']) => file);
      expect(links.filter((file) => !existsSync(join(root, 'deploy/runbooks', file)))).toEqual([]);
      const metrics = text.match(/\bsluice_(?:gateway|auth|metadata|orchestrator|worker|results|threshold:)\w+/g) ?? [];
      expect(metrics.filter((name) => !known.has(name))).toEqual([]);
      const ofLogs = text.split('\n').filter((line) => /\blogs?\b/.test(line));
      const said = ofLogs.flatMap((line) => line.match(/(?<=`)[a-z]+(?: [a-z]+){2,}(?=`)/g) ?? []);
      expect(said.filter((words) => !sources.includes(`'${words}'`))).toEqual([]);
    },
  );

  it('have no runbook left over', () => {
    const files = readdirSync(join(root, 'deploy/runbooks')).filter((name) => name.startsWith('Sluice'));
    expect(files.sort()).toEqual(alerts.map(({ alert }) => `${alert}.md`).sort());
  });

  it('take their thresholds from those that are declared, of which none is unused', () => {
    const declared = [...recorded].filter((name) => name.startsWith('sluice_threshold:'));
    const used = alerts.flatMap(({ expr }) => expr.match(/sluice_threshold:\w+/g) ?? []);
    expect(new Set(used)).toEqual(new Set(declared));
  });
});

describe('Rules and dashboards', () => {
  it.each(expressions)('read only metrics that somebody tells: $where', ({ expr }) => {
    const uses = metricsIn(expr);
    for (const use of uses) {
      const found = 'name' in use ? known.has(use.name) : [...known].some((name) => new RegExp(use.pattern).test(name));
      expect(found, JSON.stringify(use)).toBe(true);
    }
  });

  it('know of no metric of another program that they do not read', () => {
    const read = new Set(
      expressions.flatMap(({ expr }) => metricsIn(expr).flatMap((use) => ('name' in use ? use.name : []))),
    );
    expect([...readExporterMetrics()].filter((name) => !read.has(name) && name !== 'ALERTS')).toEqual([]);
  });
});

describe('Dashboards', () => {
  it('have names of their own, and a variable for their Prometheus', () => {
    expect(new Set(dashboards.map(({ uid }) => uid)).size).toBe(dashboards.length);
    for (const { templating } of dashboards) {
      expect(templating.list).toContainEqual(expect.objectContaining({ name: 'datasource', type: 'datasource' }));
    }
  });

  it.each(panels)('have panels with a unit, a place and that Prometheus: $dashboard, $title', (panel) => {
    expect(panel.fieldConfig.defaults.unit).toEqual(expect.any(String));
    expect(panel.gridPos.x + panel.gridPos.w).toBeLessThanOrEqual(24);
    expect(panel.targets.length).toBeGreaterThan(0);
    for (const { uid } of [panel, ...panel.targets].map(({ datasource }) => datasource))
      expect(uid).toBe('${datasource}');
  });

  it.each(dashboards)('have panels with ids of their own: $file', (dashboard) => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });
});

describe("Grafana's own files", () => {
  it.each([
    ['of an installation', 'deploy/telemetry/grafana/provisioning/datasources/sluice.yml'],
    ['of the lab', 'deploy/compose/observability/grafana-sources.yml'],
  ])('%s have a Prometheus that is asked first, and lead to no data source that they have not', (_whose, path) => {
    const text = readFileSync(join(root, path), 'utf8');
    // The form of Grafana's provisioning.
    const { apiVersion, datasources } = parse(text) as {
      apiVersion: number;
      datasources: { uid: string; type: string; url: string; isDefault?: boolean }[];
    };
    expect(apiVersion).toBe(1);
    expect(datasources.filter(({ isDefault }) => isDefault).map(({ type }) => type)).toEqual(['prometheus']);
    for (const { url } of datasources) expect(URL.canParse(url), url).toBe(true);
    const named = [...text.matchAll(/datasourceUid: (\w+)/g)].map(([, uid]) => uid);
    expect(named.filter((uid) => !datasources.some((source) => source.uid === uid))).toEqual([]);
  });

  it.each([
    'deploy/telemetry/grafana/provisioning/dashboards/sluice.yml',
    'deploy/compose/observability/grafana-dashboards.yml',
  ])('%s reads dashboards from files, which nobody changes but in the files', (path) => {
    const { apiVersion, providers } = parse(readFileSync(join(root, path), 'utf8')) as {
      apiVersion: number;
      providers: object[];
    };
    expect({ apiVersion, providers }).toMatchObject({
      apiVersion: 1,
      providers: [
        { type: 'file', allowUiUpdates: false, options: { path: expect.stringMatching(/^\/var\/lib\/grafana/) } },
      ],
    });
  });
});
