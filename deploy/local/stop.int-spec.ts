import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const program = fileURLToPath(new URL('stop.mjs', import.meta.url));
let directory: string;
/** In the place of the launcher of an installation. */
let launcher: ReturnType<typeof spawn>;
let ended: Promise<unknown>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-stop-'));
  launcher = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1_000)'], { stdio: 'ignore' });
  ended = new Promise((resolve) => launcher.once('exit', (_code, signal) => resolve(signal)));
  writeFileSync(join(directory, 'running.json'), JSON.stringify({ launcher: launcher.pid, processes: {} }));
});
afterEach(async () => {
  launcher.kill('SIGKILL');
  await ended;
  rmSync(directory, { recursive: true });
});

const stop = (...args: string[]) =>
  spawnSync(process.execPath, [program, ...args], {
    encoding: 'utf8',
    env: { ...process.env, SLUICE_LOCAL_DIRECTORY: directory },
    timeout: 5_000,
  });

describe('npm stop', () => {
  it.each([['--bogus'], ['--help=no'], ['now']])('ends nothing where it is told %s, which it does not know', (word) => {
    const { status, stderr } = stop(word);
    expect([status, stderr]).toEqual([2, expect.stringContaining('npm stop [-- --help]')]);
    expect(launcher.kill(0)).toBe(true);
  });

  it('explains itself and ends nothing where it is asked for help', () => {
    const { status, stdout } = stop('--help');
    expect([status, stdout]).toEqual([0, expect.stringContaining('Exit codes')]);
    expect(launcher.kill(0)).toBe(true);
  });
});
