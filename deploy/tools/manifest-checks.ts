import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { runTool, type DeployCheck } from './deploy-check.ts';
import { ManifestSchemas } from './manifest-schemas.ts';
import { podFaults, type Workload } from './pod-rules.ts';
import { renderChart, renderings, textOf } from './renderings.ts';

const chart = 'deploy/helm/sluice';
const overlayFolder = 'deploy/kubernetes/overlays';

/** A pool of some sources, of which nothing is said that has a default. */
const boundPool = {
  name: 'warehouse',
  slots: 2,
  replicasMin: 1,
  replicasMax: 3,
  sources: ['0198c5d2-0000-7000-8000-000000000001'],
  egress: [{ cidr: '10.30.0.0/24', ports: [5432, 5433] }],
  spot: true,
  resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { memory: '2Gi' } },
};

/** Values that no rendering of deploy/kubernetes has. */
const otherValues: readonly (readonly string[])[] = [
  ['--values', `${chart}/values-production.yaml`],
  ['--set', 'canary.enabled=true,canary.byIngress=true,ingress.controller=ingress-nginx'],
  ['--set', 'ingress.enabled=false,gateway.service.type=LoadBalancer,workerAutoscaling.enabled=false'],
  ['--set-json', `workerPools=${JSON.stringify([boundPool])}`],
  ['--set', 'pooler.enabled=true,pooler.image=registry.example.com/pgbouncer:1.24.1,pooler.host=postgres.example.com'],
  ['--set', 'networkPolicies.enabled=false,monitoring.enabled=false,certificate.enabled=false'],
];

const overlayChecks: readonly DeployCheck[] = ['../base', ...folders(overlayFolder)].map((overlay) => ({
  name: `kustomize builds ${overlay.replace('../', '')}, and every object of it is valid`,
  tools: ['kubectl'],
  run: async () => verdictOn(await runTool('kubectl', ['kustomize', join(overlayFolder, overlay)])),
}));

export const manifestChecks: readonly DeployCheck[] = [
  {
    name: 'manifests written from the chart are valid',
    tools: [],
    run: async () => verdictOn(renderings.map(({ folder }) => readFileSync(pathOf(folder), 'utf8')).join('\n---\n')),
  },
  ...overlayChecks,
  {
    name: 'helm lint finds nothing in the chart',
    tools: ['helm'],
    run: async () => {
      await runTool('helm', ['lint', '--strict', '--quiet', chart]);
      return '';
    },
  },
  {
    name: 'what the chart renders is valid with each set of values',
    tools: ['helm'],
    run: async () => verdictOn((await Promise.all(otherValues.map((values) => renderChart(values)))).join('\n---\n')),
  },
  {
    name: 'deploy/kubernetes is what the chart renders',
    tools: ['helm'],
    async run() {
      for (const rendering of renderings) {
        const path = pathOf(rendering.folder);
        if (readFileSync(path, 'utf8') !== (await textOf(rendering)))
          throw new Error(`${path} is not what the chart renders: npm run deploy:render`);
      }
      return `${renderings.length} files`;
    },
  },
];

function pathOf(folder: string): string {
  return join('deploy', 'kubernetes', folder, 'resources.yaml');
}

function folders(parent: string): string[] {
  return existsSync(parent) ? readdirSync(parent).toSorted() : [];
}

/** Rejects with every fault of every object in a stream of YAML. */
function verdictOn(text: string): string {
  const schemas = new ManifestSchemas();
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) throw new Error('there is no object, so nothing is proven');
  // A document between two lines of dashes may be empty.
  const objects = documents.map((document) => document.toJS() as Workload | null).filter((object) => object !== null);
  const faults = objects.flatMap((object) => {
    const isWorkload = ['Deployment', 'Rollout', 'StatefulSet'].includes(object.kind);
    const all = [...schemas.faultsOf(object), ...(isWorkload ? podFaults(object) : [])];
    return all.map((fault) => `${object.kind} ${object.metadata.name}: ${fault}`);
  });
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return `${objects.length} objects`;
}
