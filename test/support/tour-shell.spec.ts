import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TourShell } from './tour-shell.js';

let folder = '';
let shell: TourShell;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-shell-'));
  shell = new TourShell(folder);
});
afterEach(() => {
  shell.end();
  rmSync(folder, { recursive: true, force: true });
});

const sh = (code: string) => shell.run({ language: 'sh', code, line: 1 });

describe('The shell of the tour', () => {
  test('keeps what an earlier block has set', async () => {
    await sh('A=1\nsay() { echo "said $1"; }\n');
    expect(await sh('say $A\n')).toEqual({ exitCode: 0, output: 'said 1\n' });
  });

  test.each([
    ['a command that fails', 'false\necho behind\n'],
    ['a command that fails in a pipe', 'false | cat\n'],
    ['a program that does not exist', 'no-such-program\n'],
    ['a variable that nobody has set', 'echo $NOT_SET\n'],
  ])('%s: the block fails, and nothing behind it runs', async (_, code) => {
    const { exitCode, output } = await sh(code);
    expect(exitCode).not.toBe(0);
    expect(output).not.toContain('behind');
  });

  test('JavaScript is a module; what it throws fails the block', async () => {
    const good = await shell.run({ language: 'js', code: 'console.log(await Promise.resolve(1));', line: 1 });
    expect(good).toEqual({ exitCode: 0, output: '1\n' });
    const bad = await shell.run({ language: 'js', code: 'throw new Error("x");', line: 1 });
    expect(bad.exitCode).not.toBe(0);
  });
});
