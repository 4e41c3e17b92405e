// `npm run deploy:schemas`: writes deploy/tools/schemas/ from the Go modules of Kubernetes, of its operators and of Compose.
// They are kept here so that manifests are checked on every machine; this is run again for a newer version, and needs Go.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { strictSchema, type JsonSchema } from './strict-schema.ts';

const folder = join(import.meta.dirname, 'schemas');

const kubernetes = 'k8s.io/kubernetes@v1.36.3';
const compose = 'github.com/compose-spec/compose-go/v2@v2.16.2';

/** The kinds of Kubernetes itself that manifests here may use, by their names in its OpenAPI file. */
const coreKinds = [
  'apps.v1.Deployment',
  'apps.v1.StatefulSet',
  'autoscaling.v2.HorizontalPodAutoscaler',
  'batch.v1.CronJob',
  'batch.v1.Job',
  'core.v1.ConfigMap',
  'core.v1.Namespace',
  'core.v1.PersistentVolumeClaim',
  'core.v1.Secret',
  'core.v1.Service',
  'core.v1.ServiceAccount',
  'networking.v1.Ingress',
  'networking.v1.NetworkPolicy',
  'policy.v1.PodDisruptionBudget',
].map((name) => `io.k8s.api.${name}`);

/** Go module, and the files in it that define kinds. */
const operators: Readonly<Record<string, readonly string[]>> = {
  'github.com/kedacore/keda/v2@v2.21.0': [
    'config/crd/bases/keda.sh_scaledobjects.yaml',
    'config/crd/bases/keda.sh_triggerauthentications.yaml',
  ],
  'github.com/argoproj/argo-rollouts@v1.9.0': [
    'manifests/crds/rollout-crd.yaml',
    'manifests/crds/analysis-template-crd.yaml',
  ],
  'github.com/external-secrets/external-secrets@v1.3.2': ['config/crds/bases/external-secrets.io_externalsecrets.yaml'],
  'github.com/cert-manager/cert-manager@v1.21.2': [
    'deploy/crds/cert-manager.io_certificates.yaml',
    'deploy/crds/cert-manager.io_issuers.yaml',
  ],
  'github.com/prometheus-operator/prometheus-operator@v0.85.0': [
    'podmonitors',
    'prometheusrules',
    'servicemonitors',
  ].map((kind) => `example/prometheus-operator-crd/monitoring.coreos.com_${kind}.yaml`),
};

interface CustomResourceDefinition {
  spec: {
    group: string;
    names: { kind: string };
    versions: { name: string; served: boolean; schema: { openAPIV3Schema: JsonSchema } }[];
  };
}

/** Where Go has put a module. */
function moduleFolder(module: string): string {
  const answer = execFileSync('go', ['mod', 'download', '-json', module], { cwd: tmpdir(), encoding: 'utf8' });
  return (JSON.parse(answer) as { Dir: string }).Dir;
}

function write(name: string, content: unknown): void {
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(content)}\n`);
}

function writeCoreKinds(): void {
  const text = readFileSync(join(moduleFolder(kubernetes), 'api/openapi-spec/swagger.json'), 'utf8');
  const all = (JSON.parse(text) as { definitions: Record<string, JsonSchema> }).definitions;
  const definitions: Record<string, unknown> = {};
  const waiting = [...coreKinds];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (name in definitions) continue;
    const definition = all[name];
    if (definition === undefined) throw new Error(`${kubernetes} has no ${name}`);
    definitions[name] = strictSchema(definition);
    const references = JSON.stringify(definitions[name]).matchAll(/"#\/definitions\/([^"]+)"/g);
    waiting.push(...[...references].map(([, reference = '']) => reference));
  }
  write('kubernetes', { $comment: kubernetes, kinds: coreKinds, definitions });
}

function writeOperators(): void {
  for (const [module, files] of Object.entries(operators)) {
    const root = moduleFolder(module);
    for (const file of files) {
      const { spec } = parse(readFileSync(join(root, file), 'utf8')) as CustomResourceDefinition;
      const versions = spec.versions.filter(({ served }) => served);
      for (const { name, schema } of versions) {
        write(`${spec.names.kind}.${spec.group}.${name}`, {
          $comment: module,
          ...(strictSchema(schema.openAPIV3Schema) as Record<string, unknown>),
        });
      }
    }
  }
}

writeCoreKinds();
writeOperators();
const composeSchema = JSON.parse(
  readFileSync(join(moduleFolder(compose), 'schema/compose-spec.json'), 'utf8'),
) as object;
write('compose', { $comment: compose, ...composeSchema });
