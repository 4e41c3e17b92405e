import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { runTool, type DeployCheck } from '../tools/deploy-check.ts';

const folder = 'deploy/compose';
const file = join(folder, 'compose.yaml');

interface Service {
  image: string;
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: object;
  secrets?: string[];
  volumes?: string[];
}

interface Compose {
  services: Record<string, Service>;
  secrets: Record<string, { environment: string }>;
  volumes: Record<string, unknown>;
}

export const composeChecks: readonly DeployCheck[] = [
  {
    name: 'compose.yaml keeps to the schema of Compose, and names only what is there',
    tools: [],
    run: async () => verdictOn(parse(readFileSync(file, 'utf8'), { merge: true }) as Compose),
  },
  {
    name: 'docker compose accepts compose.yaml',
    tools: ['docker-compose'],
    run: async () => {
      await runTool('docker-compose', ['-f', file, '--env-file', join(folder, '.env.example'), 'config', '--quiet']);
      return '';
    },
  },
];

function verdictOn(compose: Compose): string {
  const schema = JSON.parse(readFileSync('deploy/tools/schemas/compose.json', 'utf8')) as object;
  const validate = new Ajv2020({ strict: false, allErrors: true, validateFormats: false }).compile(schema);
  validate(compose);
  const faults = [
    ...(validate.errors ?? []).map(({ instancePath, message = '' }) => `${instancePath} ${message}`),
    ...Object.entries(compose.services).flatMap(([name, service]) =>
      serviceFaults(service, compose).map((fault) => `${name}: ${fault}`),
    ),
    ...Object.values(compose.secrets)
      .filter(({ environment }) => !readFileSync(join(folder, '.env.example'), 'utf8').includes(`${environment}=`))
      .map(({ environment }) => `.env.example has not ${environment}`),
  ];
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return `${Object.keys(compose.services).length} services`;
}

/** What the schema leaves open, and what would be seen only when the lab is started. */
function serviceFaults(service: Service, { services, secrets, volumes }: Compose): string[] {
  const { image, environment = {}, depends_on: waitsFor = {}, secrets: given = [], volumes: mounts = [] } = service;
  const sources = mounts.map((mount) => mount.split(':', 1)[0] ?? '');
  const readable = new Set(given.map((name) => `/run/secrets/${name}`));
  return [
    ...(/:v?\d+\.\d+(\.\d+)?(-\w+)?\}?$/.test(image) ? [] : [`${image} is no exact version`]),
    ...Object.entries(waitsFor)
      .filter(([other, { condition }]) => condition !== 'service_healthy' || services[other]?.healthcheck === undefined)
      .map(([other]) => `does not wait for ${other} to be healthy`),
    ...given.filter((name) => !(name in secrets)).map((name) => `there is no secret ${name}`),
    ...Object.entries(environment)
      .filter(([name, value]) => name.endsWith('_FILE') && !readable.has(value))
      .map(([name]) => `${name} names a secret that it is not given`),
    ...sources
      .filter((source) =>
        source.startsWith('.') ? !existsSync(join(folder, source)) : !/^[./]/.test(source) && !(source in volumes),
      )
      .map((source) => `there is no ${source}`),
  ];
}
