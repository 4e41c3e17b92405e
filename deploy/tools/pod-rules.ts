/** As much of a workload as the rules look at; its schema has been checked before. */
export interface Workload {
  kind: string;
  metadata: { name: string };
  spec: { template: { metadata: { labels: Record<string, string> }; spec: PodSpec } };
}

interface PodSpec {
  automountServiceAccountToken?: boolean;
  terminationGracePeriodSeconds?: number;
  securityContext?: { runAsNonRoot?: boolean; seccompProfile?: { type: string } };
  tolerations?: { key?: string; value?: string }[];
  containers: Container[];
  volumes?: { secret?: { items?: { key: string; path: string }[] } }[];
}

interface Container {
  name: string;
  image: string;
  env?: { name: string; value?: string }[];
  livenessProbe?: object;
  readinessProbe?: object;
  startupProbe?: object;
  lifecycle?: { preStop?: { sleep?: { seconds: number } } };
  resources?: { requests?: { cpu?: string; memory?: string }; limits?: { memory?: string } };
  securityContext?: {
    readOnlyRootFilesystem?: boolean;
    allowPrivilegeEscalation?: boolean;
    capabilities?: { drop?: string[] };
  };
}

/** Seconds after its drain at which a service ends by itself; see libs/service/src/bootstrap.ts. */
const afterDrainSeconds = 5;
/** The shortest notice that a cloud gives before it takes a spot machine back (Google and Azure; AWS gives 120 s). */
const spotNoticeSeconds = 30;

/** What no schema says: how Sluice's own pods are to be. */
export function podFaults({ spec: { template } }: Workload): string[] {
  const pod = template.spec;
  const isSluice = template.metadata.labels['app.kubernetes.io/part-of'] === 'sluice';
  return [
    ...pod.containers.flatMap((container) => containerFaults(container, isSluice)),
    ...(pod.automountServiceAccountToken === false ? [] : ['the token of Kubernetes is mounted']),
    ...(pod.securityContext?.runAsNonRoot === true ? [] : ['runAsNonRoot is not set']),
    ...(pod.securityContext?.seccompProfile?.type === 'RuntimeDefault' ? [] : ['seccompProfile is not RuntimeDefault']),
    ...(isSluice ? [...graceFaults(pod), ...secretFaults(pod)] : []),
  ];
}

function containerFaults(
  { name, image, securityContext, resources, ...probes }: Container,
  isSluice: boolean,
): string[] {
  const needed: [string, boolean][] = [
    ['a read-only root file system', securityContext?.readOnlyRootFilesystem === true],
    ['no privilege escalation', securityContext?.allowPrivilegeEscalation === false],
    ['no capability', securityContext?.capabilities?.drop?.includes('ALL') === true],
    ['requests of CPU and memory', resources?.requests?.cpu !== undefined && resources.requests.memory !== undefined],
    ['a limit of memory', resources?.limits?.memory !== undefined],
    ['an exact version of its image', /[:@]/.test(image) && !image.endsWith(':latest')],
    ['a readiness probe', probes.readinessProbe !== undefined],
    ['a liveness probe', !isSluice || probes.livenessProbe !== undefined],
    ['a startup probe', !isSluice || probes.startupProbe !== undefined],
  ];
  return needed.filter(([, isMet]) => !isMet).map(([what]) => `container ${name} has not ${what}`);
}

/** The kubelet must not kill a service that still drains, and a spot machine must not go before the runs are handed back. */
function graceFaults({ terminationGracePeriodSeconds: grace = 30, containers, tolerations = [] }: PodSpec): string[] {
  const faults: string[] = [];
  for (const { env = [], lifecycle } of containers) {
    const drain = Number(env.find(({ name }) => name.endsWith('_DRAIN_SECONDS'))?.value ?? 20);
    const needed = (lifecycle?.preStop?.sleep?.seconds ?? 0) + drain + afterDrainSeconds;
    if (grace < needed) faults.push(`terminationGracePeriodSeconds is ${grace}, but a stop may take ${needed} s`);
    const isSpot = tolerations.some(({ key, value }) => `${key}=${value}`.includes('spot'));
    if (isSpot && needed > spotNoticeSeconds)
      faults.push(`a stop may take ${needed} s, and the notice is ${spotNoticeSeconds}`);
  }
  return faults;
}

/** Every `<NAME>_FILE` names a file that the Secret brings, or the service does not start. */
function secretFaults({ containers, volumes = [] }: PodSpec): string[] {
  const files = new Set(
    volumes.flatMap(({ secret }) => secret?.items ?? []).map(({ path }) => `/run/secrets/sluice/${path}`),
  );
  return containers
    .flatMap(({ env = [] }) => env)
    .filter(({ name, value = '' }) => name.endsWith('_FILE') && !files.has(value))
    .map(({ name, value }) => `${name} names ${value}, which no Secret brings`);
}
