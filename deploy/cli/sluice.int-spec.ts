import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { commands } from './commands.ts';
import { runSluice } from './run-sluice.ts';

describe('sluice', () => {
  it('lists each command with what it does, also where it is called with nothing', async () => {
    const [helped, bare] = await Promise.all([runSluice(['--help']), runSluice([])]);
    for (const { name, summary } of commands) {
      expect(helped.stdout).toContain(name);
      expect(helped.stdout.replaceAll(/\s+/g, ' ')).toContain(summary);
    }
    expect([helped.code, bare]).toEqual([0, helped]);
  });

  it.each(commands.map(({ name }) => name))('explains %s and its exit codes', async (name) => {
    const [flag, word] = await Promise.all([runSluice([name, '--help']), runSluice(['help', name])]);
    expect([flag.code, flag.stdout]).toEqual([0, expect.stringContaining('Exit codes')]);
    expect(word.stdout).toBe(flag.stdout);
  });

  it('says that it has to be built, where it was not', async () => {
    const checkout = mkdtempSync(join(tmpdir(), 'sluice-checkout-'));
    cpSync('deploy', join(checkout, 'deploy'), { recursive: true });
    cpSync('package.json', join(checkout, 'package.json'));
    symlinkSync(resolve('node_modules'), join(checkout, 'node_modules'));
    const program = join(checkout, 'deploy/cli/sluice.ts');
    const { status, stderr } = spawnSync(process.execPath, [program, 'config', 'check'], { encoding: 'utf8' });
    rmSync(checkout, { recursive: true });
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^Sluice is not built: npm run build\.$/m)]);
  });

  it('ends in order where nobody reads what it prints', async () => {
    const child = spawn(process.execPath, ['deploy/cli/sluice.ts', '--help']);
    child.stdout.destroy();
    const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect([code, stderr]).toEqual([0, '']);
  });

  it('takes a process whose number changes no forecast for a wrong option of capacity, and says which do', async () => {
    const { code, stderr } = await runSluice(['capacity', '--forecast', '--replicas', 'worker=1']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('A process is one of gateway, ')]);
  });

  const redrive = ['redrive', '--area', 'run'];
  it.each([
    [redrive, 'redis://127.0.0.1:1', 'connect ECONNREFUSED 127.0.0.1:1'],
    [redrive, 'redis+cluster://127.0.0.1:1', 'none of its nodes can be reached'],
    [redrive, 'redis+sentinel://127.0.0.1:1/main', 'none of the sentinels can be reached, or knows the primary'],
    [['rotate-keys'], 'redis://127.0.0.1:1', 'connect ECONNREFUSED 127.0.0.1:1'],
  ])('says in one line why Redis cannot be used: %j of %s', async (args, url, why) => {
    const { code, stdout, stderr } = await runSluice(args, { SLUICE_REDIS_BROKER_URL: url });
    const told = `The Redis of the broker role (SLUICE_REDIS_BROKER_URL) cannot be used: ${why}`;
    expect([code, stdout, stderr]).toEqual([1, '', `${told}\n`]);
  });

  it('says what is wrong with a word it does not know, and exits with 2', async () => {
    const { code, stderr } = await runSluice(['dcotor']);
    expect([code, stderr]).toEqual([2, expect.stringContaining("unknown command 'dcotor'")]);
  });
});
