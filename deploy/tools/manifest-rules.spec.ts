import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { describe, expect, it } from 'vitest';
import { ManifestSchemas } from './manifest-schemas.ts';
import { podFaults, type Workload } from './pod-rules.ts';

interface NetworkPolicy {
  kind: string;
  metadata: { name: string };
  spec: {
    podSelector: { matchLabels: Record<string, string> };
    policyTypes: string[];
    egress?: { to?: { ipBlock?: { cidr: string } }[] }[];
  };
}

interface CronJob {
  kind: string;
  spec: {
    jobTemplate: {
      spec: {
        template: {
          spec: {
            containers: {
              env: { name: string; value: string }[];
              volumeMounts: { name: string; mountPath: string }[];
            }[];
          };
        };
      };
    };
  };
}

const text = readFileSync('deploy/kubernetes/base/resources.yaml', 'utf8');
const objects = (parseAllDocuments(text) as { toJS(): unknown }[]).map(
  (each) => each.toJS() as { kind: string } | null,
);
const ofKind = <T>(kind: string): T[] => objects.filter((each) => each?.kind === kind) as T[];

/** The gateway's deployment after `change`, which breaks it. */
function broken(change: (workload: Workload) => void): Workload {
  const found = ofKind<Workload>('Deployment').find(({ metadata }) => metadata.name === 'sluice-gateway');
  if (!found) throw new Error('the base has no gateway');
  const workload = structuredClone(found);
  change(workload);
  return workload;
}

describe('The schemas of manifests', () => {
  const schemas = new ManifestSchemas();

  it('refuse a field that Kubernetes would drop without a word', () => {
    const misspelt = broken(({ spec }) => Object.assign(spec.template.spec.containers[0] ?? {}, { readinesProbe: {} }));
    expect(schemas.faultsOf(misspelt).join('\n')).toContain('readinesProbe');
  });

  it('refuse a kind that nobody knows', () => {
    expect(schemas.faultsOf({ apiVersion: 'apps/v1', kind: 'Deploiment' })).toHaveLength(1);
  });

  it('refuse an unknown field of an operator’s kind', () => {
    const [scaled] = ofKind<{ kind: string; spec: object }>('ScaledObject');
    const misspelt = structuredClone(scaled);
    Object.assign(misspelt?.spec ?? {}, { minReplicas: 1 });
    expect(schemas.faultsOf(misspelt ?? {}).join('\n')).toContain('minReplicas');
  });
});

describe('The rules of pods', () => {
  it('want the kubelet to wait for as long as a stop may take', () => {
    const hasty = broken(({ spec }) => (spec.template.spec.terminationGracePeriodSeconds = 29));
    expect(podFaults(hasty)).toEqual(['terminationGracePeriodSeconds is 29, but a stop may take 30 s']);
  });

  it('want a worker on a spot machine to be gone within the notice', () => {
    const slow = broken(({ spec }) => (spec.template.spec.tolerations = [{ key: 'lifecycle', value: 'spot' }]));
    slow.spec.template.spec.terminationGracePeriodSeconds = 90;
    const drain = slow.spec.template.spec.containers[0]?.env?.find(({ name }) => name.endsWith('DRAIN_SECONDS'));
    Object.assign(drain ?? {}, { value: '60' });
    expect(podFaults(slow).join('\n')).toContain('the notice is 30');
  });

  it('want every file of a secret to be brought', () => {
    const empty = broken(({ spec }) => (spec.template.spec.volumes = []));
    expect(podFaults(empty).join('\n')).toContain('SLUICE_GATEWAY_CURSOR_KEYS_FILE names');
  });

  it('want a read-only root file system', () => {
    const writable = broken(({ spec }) =>
      Object.assign(spec.template.spec.containers[0] ?? {}, { securityContext: {} }),
    );
    expect(podFaults(writable).join('\n')).toContain('a read-only root file system');
  });
});

describe('The network policies', () => {
  const policies = ofKind<NetworkPolicy>('NetworkPolicy');

  it('deny whatever is not named, in both directions and for every pod', () => {
    const denying = policies.find(({ metadata }) => metadata.name === 'sluice-default');
    expect(denying?.spec.policyTypes).toEqual(['Ingress', 'Egress']);
    const pods = ofKind<Workload>('Deployment').map(({ spec }) => spec.template.metadata.labels);
    const selected = Object.entries(denying?.spec.podSelector.matchLabels ?? {});
    expect(pods.every((labels) => selected.every(([name, value]) => labels[name] === value))).toBe(true);
  });

  it('let workers alone reach data sources', () => {
    const sources = '10.20.0.0/16';
    const reaching = policies.filter(({ spec }) =>
      spec.egress?.some(({ to }) => to?.some(({ ipBlock }) => ipBlock?.cidr === sources)),
    );
    expect(reaching.map(({ spec }) => spec.podSelector.matchLabels['app.kubernetes.io/name'])).toEqual(['worker']);
  });
});

describe('The backup of the chart', () => {
  const written = readFileSync('deploy/kubernetes/components/backup/resources.yaml', 'utf8');
  const jobs = (parseAllDocuments(written) as { toJS(): CronJob | null }[]).map((each) => each.toJS());
  const job = jobs.find((each) => each?.kind === 'CronJob')?.spec.jobTemplate.spec;
  const [container] = job?.template.spec.containers ?? [];
  const settings = new Map(container?.env.map(({ name, value }) => [name, value]));
  const claim = container?.volumeMounts.find(({ name }) => name === 'backups')?.mountPath;

  it('makes what a pod can make, by scripts that there are: no files of keys, no directory that is not mounted', () => {
    const kinds = settings.get('SLUICE_BACKUP_KINDS')?.split(' ') ?? [];
    expect(kinds).toEqual(['dump-postgres', 'backup-redis', 'backup-results']);
    for (const kind of kinds) expect(existsSync(`deploy/backup/${kind}.sh`)).toBe(true);
    expect(settings.get('SLUICE_STORE_DIRECTORY')).toBe('');
  });

  it('writes to its claim alone, whatever its Secret says', () => {
    expect(settings.get('SLUICE_BACKUP_DIRECTORY')).toBe(claim);
    expect(settings.get('SLUICE_BACKUP_METRICS_DIRECTORY')).toBe(`${claim}/metrics`);
  });

  it('is made once: a part that fails does not make the others again', () => {
    expect(job).toMatchObject({ backoffLimit: 0, template: { spec: { restartPolicy: 'Never' } } });
  });
});

describe('The alerts of the chart', () => {
  it('are all of deploy/alerts, those of the backups for the CronJob of the release alone', () => {
    const ofRelease = (text: string): string =>
      text.replaceAll('cronjob="sluice-backup"', 'cronjob="sluice-backup",namespace="sluice"');
    const groupsOf = (file: string): { name: string }[] =>
      (parse(ofRelease(readFileSync(join('deploy/alerts', file), 'utf8'))) as { groups: { name: string }[] }).groups;
    const files = readdirSync('deploy/alerts').filter((file) => file.endsWith('.yml'));
    const component = readFileSync('deploy/kubernetes/components/alerts/resources.yaml', 'utf8');
    const { spec } = parse(component) as { spec: { groups: { name: string }[] } };
    const byName = (one: { name: string }, other: { name: string }): number => one.name.localeCompare(other.name);
    expect(spec.groups.toSorted(byName)).toEqual(files.flatMap(groupsOf).toSorted(byName));
  });
});
