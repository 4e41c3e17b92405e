import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { DeployCheck } from '../tools/deploy-check.ts';
import { renderChart } from '../tools/renderings.ts';

const pooler = ['--set', 'pooler.enabled=true,pooler.image=registry.example.com/pgbouncer:1.24.1,pooler.host=postgres'];
const exporters = ['--set', 'exporters.enabled=true,exporters.postgres.address=postgres:5432/sluice'];
const noRedis = ['BROKER', 'SESSION', 'CACHE'].flatMap((role) => ['--set', `settings.SLUICE_REDIS_${role}_URL=null`]);

/** What the chart makes of values, beyond being valid. */
export const chartChecks: readonly DeployCheck[] = [
  {
    name: 'the poolers of the chart, with those that end in a change, open no more connections than pgbouncer.ini says',
    tools: ['helm'],
    async run() {
      const one = settingsIn(readFileSync('deploy/postgres/pgbouncer.ini', 'utf8'));
      for (const replicas of [1, 2, 5]) {
        const text = await renderChart([...pooler, '--set', `pooler.replicas=${replicas}`]);
        const each = poolerSettingsIn(text);
        const pods = podsAtMost(poolerDeploymentIn(text));
        for (const name of ['default_pool_size', 'reserve_pool_size']) {
          const [share, whole] = [Number(each.get(name)), Number(one.get(name))];
          // A pool of none would serve nobody.
          expectThat(share === 1 || share * pods <= whole, `${name} is ${share} with ${pods} poolers`);
          expectThat(share >= 1, `${name} is ${share}`);
        }
      }
      return '';
    },
  },
  {
    name: 'a pooler of the chart keeps prepared statements where services are told so, and there alone',
    tools: ['helm'],
    async run() {
      const told = await poolerSettings('--set', 'pooler.pooling=transaction-prepared');
      expectThat(told.get('max_prepared_statements') === '200', 'transaction-prepared keeps no statements');
      const silent = await poolerSettings();
      expectThat(!silent.has('max_prepared_statements'), 'PgBouncer before 1.21 does not know max_prepared_statements');
      return '';
    },
  },
  {
    name: 'a pooler of the chart is stopped by the signal that lets transactions end',
    tools: ['helm'],
    async run() {
      const text = await renderChart(pooler);
      expectThat(/preStop:\s+exec:\s+command: .*kill -INT 1; while kill -0 1/.test(text), 'it is not sent SIGINT');
      return '';
    },
  },
  {
    name: 'redis_exporter is asked for servers that it understands, of which there is one at least',
    tools: ['helm'],
    async run() {
      const understood = await renderChart([
        ...exporters,
        ...noRedis,
        '--set',
        'settings.SLUICE_REDIS_URL=redis://one',
      ]);
      expectThat(understood.includes('params: { target: ["redis://one"] }'), 'the one Redis is not asked for');
      const refused = /exporters\.redis\.targets has to name/;
      for (const url of ['redis+sentinel://one/sluice', 'rediss+cluster://one']) {
        await expectRefused([...exporters, '--set', `settings.SLUICE_REDIS_BROKER_URL=${url}`], refused);
      }
      await expectRefused([...exporters, ...noRedis], refused);
      const named = '[{"role":"broker","address":"rediss://node-1:6379"}]';
      const text = await renderChart([...exporters, ...noRedis, '--set-json', `exporters.redis.targets=${named}`]);
      expectThat(
        text.includes('params: { target: ["rediss://node-1:6379"] }'),
        'a node that is named is not asked for',
      );
      return '';
    },
  },
  {
    name: 'the alerts of the chart go by the CronJob of its own release and namespace',
    tools: ['helm'],
    async run() {
      const settings = ['--set', 'monitoring.rules=true,backup.enabled=true,backup.image=backup:1'];
      const text = await renderChart(settings, 'lab', 'elsewhere');
      expectThat(/^  name: lab-backup$/m.test(text), 'the CronJob is called otherwise');
      const told = text.match(/kube_cronjob_status_last_successful_time\{.*?\}/g) ?? [];
      const own = 'kube_cronjob_status_last_successful_time{cronjob="lab-backup",namespace="elsewhere"}';
      expectThat(told.length === 2 && told.every((each) => each === own), `they go by ${told.join(' and ')}`);
      return '';
    },
  },
  {
    name: 'the backup of the chart reads the results that the services write to a claim',
    tools: ['helm'],
    async run() {
      const text = await renderChart(['--set', 'backup.enabled=true,backup.image=backup:1,storeClaim=sluice-results']);
      const documents = parseAllDocuments(text) as { toJS(): { kind: string } | null }[];
      const job = JSON.stringify(documents.map((each) => each.toJS()).find((each) => each?.kind === 'CronJob'));
      for (const part of [
        '{"name":"SLUICE_STORE_DIRECTORY","value":"/var/lib/sluice/results"}',
        '{"name":"results","mountPath":"/var/lib/sluice/results","readOnly":true}',
        '{"name":"results","persistentVolumeClaim":{"claimName":"sluice-results"}}',
      ]) {
        expectThat(job.includes(part), `it has not ${part}`);
      }
      return '';
    },
  },
];

function expectThat(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}

async function expectRefused(settings: readonly string[], reason: RegExp): Promise<void> {
  const fault = await renderChart(settings).then(
    () => 'it is rendered',
    (error: unknown) => String(error),
  );
  expectThat(reason.test(fault), `${settings.join(' ')}: ${fault}`);
}

const poolerSettings = async (...settings: string[]): Promise<Map<string, string>> =>
  poolerSettingsIn(await renderChart([...pooler, ...settings]));

function poolerSettingsIn(text: string): Map<string, string> {
  const objects = objectsIn(text) as ({ data?: Record<string, string> } | null)[];
  return settingsIn(objects.find((each) => each?.data?.['pgbouncer.ini'])?.data?.['pgbouncer.ini'] ?? '');
}

interface RollingDeployment {
  readonly replicas: number;
  readonly minReadySeconds?: number;
  readonly strategy: { readonly rollingUpdate: { readonly maxSurge: number } };
  readonly template: { readonly spec: { readonly terminationGracePeriodSeconds: number } };
}

function poolerDeploymentIn(text: string): RollingDeployment {
  const objects = objectsIn(text) as ({ kind: string; metadata: { name: string }; spec: RollingDeployment } | null)[];
  const found = objects.find((each) => each?.kind === 'Deployment' && each.metadata.name === 'sluice-pooler');
  if (!found) throw new Error('there is no Deployment sluice-pooler');
  return found.spec;
}

/** A change gone through: new pods are ready at once, and those that they replace take all the time that they have to end. */
function podsAtMost({ replicas, minReadySeconds = 0, strategy, template }: RollingDeployment): number {
  const graceSeconds = template.spec.terminationGracePeriodSeconds;
  let most = replicas;
  let ends: number[] = [];
  let now = 0;
  for (let old = replicas, fresh = 0; old > 0;) {
    const next = Math.min(strategy.rollingUpdate.maxSurge, old);
    fresh += next;
    most = Math.max(most, old + fresh + ends.length);
    now += minReadySeconds;
    old -= next;
    ends = [...ends.filter((end) => end > now), ...Array.from({ length: next }, () => now + graceSeconds)];
  }
  return most;
}

const objectsIn = (text: string): unknown[] =>
  (parseAllDocuments(text) as { toJS(): unknown }[]).map((each) => each.toJS());

const settingsIn = (ini: string): Map<string, string> =>
  new Map([...ini.matchAll(/^(\w+) = (.+)$/gm)].map(([, name = '', value = '']) => [name, value]));
