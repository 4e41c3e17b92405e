import { parseAllDocuments, type Document } from 'yaml';
import { runTool } from './deploy-check.ts';

/** A folder under deploy/kubernetes/, and what of the chart it holds. */
interface Rendering {
  readonly folder: string;
  /** Arguments of `helm template`. */
  readonly settings: readonly string[];
  readonly holds: (manifest: Manifest) => boolean;
}

interface Manifest {
  kind: string;
  metadata: { name: string; labels?: Record<string, string> };
}

/** The base has everything that a cluster needs the operators for anyway; components are taken by an overlay that wants them. */
export const renderings: readonly Rendering[] = [
  { folder: 'base', settings: [], holds: () => true },
  {
    folder: 'overlays/lab',
    settings: ['--values', 'deploy/helm/sluice/values-lab.yaml'],
    holds: () => true,
  },
  {
    folder: 'components/canary',
    settings: ['--set', 'canary.enabled=true'],
    holds: ({ kind, metadata }) =>
      ['Rollout', 'AnalysisTemplate'].includes(kind) || metadata.name === 'sluice-gateway-canary',
  },
  {
    folder: 'components/external-secrets',
    settings: ['--set', 'externalSecrets.enabled=true'],
    holds: ({ kind }) => kind === 'ExternalSecret',
  },
  {
    folder: 'components/alerts',
    settings: ['--set', 'monitoring.rules=true'],
    holds: ({ kind }) => kind === 'PrometheusRule',
  },
  {
    folder: 'components/exporters',
    settings: ['--set', 'exporters.enabled=true,exporters.postgres.address=postgres.example.com:5432/sluice'],
    holds: ({ metadata }) => metadata.name.endsWith('-exporter'),
  },
  {
    folder: 'components/backup',
    settings: ['--set', 'backup.enabled=true,backup.image=registry.example.com/sluice/sluice-backup:0.1.0'],
    holds: ({ metadata }) => metadata.name === 'sluice-backup',
  },
  {
    folder: 'components/spot-workers',
    settings: ['--values', 'deploy/helm/sluice/values-production.yaml'],
    holds: ({ metadata }) => metadata.labels?.['pool'] === 'default-spot',
  },
];

/** What the chart says with these values, of a release. */
export function renderChart(settings: readonly string[], release = 'sluice', namespace = 'sluice'): Promise<string> {
  return runTool('helm', ['template', release, 'deploy/helm/sluice', '--namespace', namespace, ...settings]);
}

/** The text of a rendering's file: the objects in the chart's order, without the chart's own marks. */
export async function textOf({ settings, holds }: Rendering): Promise<string> {
  const documents = parseAllDocuments(await renderChart(settings)) as Document[];
  const held = documents.filter((document) => document.contents !== null && holds(document.toJS() as Manifest));
  const texts = held.map((document) => {
    document.deleteIn(['metadata', 'labels', 'app.kubernetes.io/managed-by']);
    return document.toString({ directives: false, lineWidth: 0 }).replace(/^# Source: .*\n/m, '');
  });
  return `# Written by \`npm run deploy:render\` from deploy/helm/sluice.\n---\n${texts.join('---\n')}`;
}
