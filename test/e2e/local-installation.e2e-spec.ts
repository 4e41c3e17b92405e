import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#libs/testing';
import { freePorts } from '../../deploy/local/free-port.ts';
import { services } from '../../deploy/local/mesh.ts';
import { ApiClient } from '../support/api-client.js';
import { readAllRows, runToEnd } from '../support/executions.js';
import { runProgram } from '../support/programs.js';

// What `npm start -- --detach` and `npm stop` do, in a folder of the test's own. Installing and building, which start.mjs
// does before, are left out: they would pull the packages from under this run.
const root = fileURLToPath(new URL('../..', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'sluice-local-'));
let port = 0;
let output = '';

const environment = () => ({ ...process.env, SLUICE_LOCAL_DIRECTORY: directory, SLUICE_PORT: String(port) });
const program = (name: string, ...args: string[]) =>
  runProgram(process.execPath, [join(root, 'deploy/local', name), ...args], environment(), 110_000);
const readJson = <T>(name: string): T => JSON.parse(readFileSync(join(directory, name), 'utf8')) as T;

interface Access {
  graphqlUrl: string;
  websocketUrl: string;
  email: string;
  password: string;
  apiKey: string;
  workspace: string;
}

interface Running {
  launcher: number;
  processes: Record<string, { pid: number }>;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function lastWords(service: string): string {
  const log = join(directory, 'log', `${service}.log`);
  return `${service}: ${existsSync(log) ? readFileSync(log, 'utf8').slice(-1_500) : 'no log'}`;
}

beforeAll(async () => {
  [port = 0] = await freePorts(1);
  const started = await program('main.ts', '--detach');
  output = started.output;
  if (started.exitCode !== 0) throw new Error([output, ...services.map(lastWords)].join('\n'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('npm start -- --detach', () => {
  test('does the main job before the user’s eyes: a real question, pushed events, rows, and where to go on', () => {
    expect(output).toContain('ExecutionSnapshot');
    expect(output).toContain('SUCCEEDED');
    expect(output).toMatch(/\d+ rows from 0/);
    expect(output).toContain(`http://127.0.0.1:${port}/graphql`);
  });

  test('writes local.json for its owner alone, with what it takes to go on', () => {
    const access = readJson<Access>('local.json');
    expect(Object.keys(access).sort()).toEqual([
      'apiKey',
      'email',
      'graphqlUrl',
      'password',
      'websocketUrl',
      'workspace',
    ]);
    expect(statSync(join(directory, 'local.json')).mode & 0o777).toBe(0o600);
    expect(access.graphqlUrl).toBe(`http://127.0.0.1:${port}/graphql`);
  });

  test('writes operator.env for its owner alone, with which sluice doctor finds nothing serious', async () => {
    const file = join(directory, 'operator.env');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const script = `. ${file} && exec ${process.execPath} ${join(root, 'deploy/cli/sluice.ts')} doctor`;
    const { exitCode, output: said } = await runProgram('/bin/sh', ['-c', script], process.env, 60_000);
    expect([exitCode, said]).toEqual([0, expect.stringContaining(' 0 not checked')]);
  });

  test('keeps what it holds from other users of the machine: its folders, and a Redis that asks for a password', () => {
    for (const folder of ['log', 'results', 'redis-broker', 'redis-cache', 'postgres']) {
      expect([folder, statSync(join(directory, folder)).mode & 0o077]).toEqual([folder, 0]);
    }
    for (const role of ['redis-broker', 'redis-cache']) {
      const [configuration, users] = ['redis.conf', 'users.acl'].map((name) => {
        const file = join(directory, role, name);
        expect(statSync(file).mode & 0o077).toBe(0);
        return readFileSync(file, 'utf8');
      });
      expect(configuration).toMatch(/^aclfile /m);
      expect(users).toMatch(/^user default on #[0-9a-f]{64} /m);
      expect(users).not.toMatch(/nopass| on (?!#)/);
    }
  });

  test('answers from both sources with the key that it wrote: 3,000,000 flights each', async () => {
    const { graphqlUrl: url, websocketUrl, apiKey } = readJson<Access>('local.json');
    const client = new ApiClient({ url, websocketUrl }, `Key ${apiKey}`);
    const { dataSources } = await client.request<{ dataSources: { nodes: { id: string; name: string }[] } }>(
      '{ dataSources(first: 10) { nodes { id name } } }',
    );
    expect(dataSources.nodes.map(({ name }) => name).sort()).toEqual(['flights', 'flights_pg']);
    for (const { id } of dataSources.nodes) {
      const execution = await runToEnd(client, id, 'select count(*) as n from flights');
      expect((await readAllRows(client, execution.id)).flat().map(Number)).toEqual([3_000_000]);
    }
  });

  test('a second start refuses, and says what to do', async () => {
    const { exitCode, output: said } = await program('main.ts', '--detach');
    expect(exitCode).toBe(1);
    expect(said).toContain('npm stop');
  });
});

describe('What dies without a word', () => {
  const pidsOf = ({ processes }: Running): number[] => Object.values(processes).map(({ pid }) => pid);

  test('is started again where it is a service, and known by its new process', async () => {
    const { processes } = readJson<Running>('running.json');
    const worker = processes['worker']?.pid ?? 0;
    process.kill(worker, 'SIGKILL');
    await until(
      () => {
        const pid = readJson<Running>('running.json').processes['worker']?.pid ?? worker;
        return pid !== worker && isAlive(pid);
      },
      { timeoutMs: 15_000, what: 'another worker' },
    );
  });

  test('leaves nothing behind where it is the launcher: the next start ends what is left, and goes on', async () => {
    const before = readJson<Running>('running.json');
    const { apiKey } = readJson<Access>('local.json');
    process.kill(before.launcher, 'SIGKILL');
    await until(() => !isAlive(before.launcher), { what: 'the end of the launcher' });
    expect(pidsOf(before).filter(isAlive)).not.toEqual([]);
    const { exitCode, output: said } = await program('main.ts', '--detach', '--no-tour');
    expect([exitCode, exitCode === 0 ? '' : said]).toEqual([0, '']);
    expect(pidsOf(before).filter(isAlive)).toEqual([]);
    expect(readJson<Access>('local.json').apiKey).toBe(apiKey);
  });
});

describe('npm stop', () => {
  test('ends every process that the start began', async () => {
    const { launcher, processes } = readJson<Running>('running.json');
    const pids = [launcher, ...Object.values(processes).map(({ pid }) => pid)];
    expect(pids.length).toBeGreaterThanOrEqual(10);
    const { exitCode } = await program('stop.mjs');
    expect(exitCode).toBe(0);
    await until(() => pids.every((pid) => !isAlive(pid)), { what: 'the end of all processes' });
    expect(existsSync(join(directory, 'running.json'))).toBe(false);
  });
});
