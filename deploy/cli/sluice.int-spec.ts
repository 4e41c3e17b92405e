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

  it('says what is wrong with a word it does not know, and exits with 2', async () => {
    const { code, stderr } = await runSluice(['dcotor']);
    expect([code, stderr]).toEqual([2, expect.stringContaining("unknown command 'dcotor'")]);
  });
});
