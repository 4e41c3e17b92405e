import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseEnv } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { afterAll, describe, expect, it } from 'vitest';
import { defineConfig, loadConfig, redisSettings, settingsOf, type ConfigDefinition } from '#libs/config';
import { runSluice } from '../cli/run-sluice.ts';

type Environment = Record<string, string>;

interface Workload {
  kind: string;
  spec: {
    template: { spec: { containers: { name: string; args?: string[]; env?: { name: string; value?: string }[] }[] } };
  };
}

interface Compose {
  services: Record<string, { command?: string[]; environment?: Environment }>;
}

const services = ['auth', 'gateway', 'metadata', 'orchestrator', 'results', 'worker'];
const folder = mkdtempSync(join(tmpdir(), 'sluice-settings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What each service is given by a file of manifests. */
function fromManifests(path: string): [string, Environment][] {
  const manifests = (parseAllDocuments(readFileSync(path, 'utf8')) as { toJS(): unknown }[]).map(
    (each) => each.toJS() as Workload | null,
  );
  const workloads = manifests
    .filter((each) => each !== null)
    .filter(({ kind }) => ['Deployment', 'Rollout'].includes(kind));
  return workloads.flatMap(({ spec }) =>
    spec.template.spec.containers.map(({ args = [], env = [] }): [string, Environment] => [
      args[0] ?? '',
      // What the kubelet fills in is the pod's name.
      Object.fromEntries(env.map(({ name, value }) => [name, value ?? 'pod-1'])),
    ]),
  );
}

function fromCompose(): [string, Environment][] {
  const { services: all } = parse(readFileSync('deploy/compose/compose.yaml', 'utf8'), { merge: true }) as Compose;
  return Object.values(all)
    .filter(({ command }) => services.includes(command?.[0] ?? ''))
    .map(({ command = [], environment = {} }) => [
      command[0] ?? '',
      Object.fromEntries(
        Object.entries(environment).map(([name, value]) => [name, value.replace(/\$\{\w+:-(.*)\}/, '$1')]),
      ),
    ]);
}

function example(name: string): Environment {
  // Its type has undefined for names that are not there; none is named.
  return parseEnv(readFileSync(`deploy/systemd/${name}.env.example`, 'utf8')) as Environment;
}

const fromExamples = (): [string, Environment][] =>
  services.map((service) => [service, { ...example('common'), ...example(service) }]);

const places: [string, [string, Environment][]][] = [
  ['the base', fromManifests('deploy/kubernetes/base/resources.yaml')],
  ['the lab', fromManifests('deploy/kubernetes/overlays/lab/resources.yaml')],
  ['the canary', fromManifests('deploy/kubernetes/components/canary/resources.yaml')],
  ['the workers on spot machines', fromManifests('deploy/kubernetes/components/spot-workers/resources.yaml')],
  ['compose', fromCompose()],
  ['the examples for systemd', fromExamples()],
];

async function definitionOf(service: string): Promise<ConfigDefinition> {
  const built = pathToFileURL(resolve(`dist/services/${service}/src/${service}.config.js`)).href;
  const exported = (await import(built)) as Record<string, ConfigDefinition>;
  return exported[`${service}Config`] ?? {};
}

const { stdout } = await runSluice(['new-secrets']);
const made = Object.fromEntries([...stdout.matchAll(/^(\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value]));

/** The environment with real secrets in the files that it names. */
function withSecrets(environment: Environment): Environment {
  const contents = (name: string): string =>
    made[name] ?? (name.endsWith('_URL') ? 'postgresql://user:password@host:5432/sluice' : 'a password');
  const entries = Object.entries(environment).map(([name, value]) => {
    if (!name.endsWith('_FILE')) return [name, value];
    const file = join(folder, `${basename(value)}-${name}`);
    writeFileSync(file, contents(name.replace(/_FILE$/, '')));
    return [name, file];
  });
  return Object.fromEntries(entries) as Environment;
}

const definitions = await Promise.all(services.map(definitionOf));
const known = new Set(definitions.flatMap(settingsOf).flatMap(({ variable, fallbacks }) => [variable, ...fallbacks]));

describe.each(places)('What %s gives the services', (_place, given) => {
  it('is something', () => expect(given.length).toBeGreaterThan(0));

  it.each(given)('%s takes it for its settings, and knows every name of it', async (service, environment) => {
    const definition = await definitionOf(service);
    const settings = withSecrets(environment);
    expect(() => loadConfig(definition, settings)).not.toThrow();
    const names = Object.keys(environment).filter((name) => name.startsWith('SLUICE_'));
    // Some are given to all services, though not all of them ask.
    expect(names.map((name) => name.replace(/_FILE$/, '')).filter((name) => !known.has(name))).toEqual([]);
  });
});

describe('The examples for systemd', () => {
  const operators: [string, Environment][] = [
    ['doctor', { ...example('common'), ...example('doctor') }],
    ['operator', example('operator')],
  ];

  it.each(operators)('give sluice what it needs as %s', (_name, environment) => {
    const settings = withSecrets(environment);
    expect(() => loadConfig(defineConfig({ redis: redisSettings }), settings)).not.toThrow();
  });

  it.each([...services, 'doctor', 'operator'])('name a Redis user for %s that there is', (name) => {
    const environment = example(name);
    expect(readFileSync('deploy/redis/users-broker.acl', 'utf8')).toContain(
      `user ${environment['SLUICE_REDIS_USERNAME'] ?? ''} `,
    );
    expect(environment['SLUICE_REDIS_PASSWORD_FILE']).toBe(`/etc/sluice/redis/passwords/${name}`);
  });

  it.each([...services, 'doctor'])('name the same user for %s in the cache, where there is one too', (name) => {
    const environment = example(name);
    const user = environment['SLUICE_REDIS_USERNAME'];
    expect(environment['SLUICE_REDIS_CACHE_USERNAME']).toBe(user);
    expect(environment['SLUICE_REDIS_CACHE_PASSWORD_FILE']).toBe(environment['SLUICE_REDIS_PASSWORD_FILE']);
    expect(readFileSync('deploy/redis/users-cache.acl', 'utf8')).toContain(`user ${user ?? ''} `);
  });
});
