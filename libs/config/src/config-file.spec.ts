import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  configuredEnvironment,
  defineConfig,
  effectiveSettings,
  flags,
  flagSetting,
  integerText,
  isFlagOn,
  loadLiveConfig,
  secret,
  setting,
  urlText,
} from './index.js';
import { z } from 'zod';

const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function fileOf(text: string): string {
  const file = join(mkdtempSync(join(folder, 'file-')), 'sluice.yaml');
  writeFileSync(file, text);
  return file;
}

const readFrom = (text: string, env: Record<string, string> = {}) =>
  configuredEnvironment({ SLUICE_CONFIG_FILE: fileOf(text), ...env });

describe('SLUICE_CONFIG_FILE', () => {
  const text = 'version: 1\nsettings:\n  SLUICE_LOG_LEVEL: warn\n  SLUICE_PORT: 4001 # here\n  SLUICE_NETS: [a, b]\n';

  it('gives settings as the environment would', async () => {
    expect(await readFrom(text)).toMatchObject({ SLUICE_LOG_LEVEL: 'warn', SLUICE_PORT: '4001', SLUICE_NETS: 'a,b' });
  });

  it('yields to the environment, in either of its ways, and not to an empty variable', async () => {
    const env = await readFrom(text, { SLUICE_LOG_LEVEL: '', SLUICE_PORT: '5', SLUICE_NETS_FILE: '/nets' });
    expect(env).toMatchObject({ SLUICE_LOG_LEVEL: 'warn', SLUICE_PORT: '5', SLUICE_NETS_FILE: '/nets' });
    expect(env['SLUICE_NETS']).toBeUndefined();
  });

  it.each([
    ['a version of another release', 'version: 2\nsettings: {}\n', /has version 2. This release reads version 1/],
    ['no version', 'settings: {}\n', /version: .*such as: version: 1/],
    ['what is no YAML, by its line', 'version: 1\nsettings:\n  A: [\n', /sluice\.yaml:\d+ is no YAML/],
    ['a word that it does not know', 'version: 1\nsetings: {}\n', /setings/],
    ['what is no name of a setting', 'version: 1\nsettings: {port: 1}\n', /has port. Settings are named as in/],
  ])('refuses %s, and says what, where and what to do', async (_, given, expected) => {
    await expect(readFrom(given)).rejects.toThrow(expected);
  });

  it('says that it cannot be read, and who names it', async () => {
    const reading = configuredEnvironment({ SLUICE_CONFIG_FILE: '/nowhere/sluice.yaml' });
    await expect(reading).rejects.toThrow('/nowhere/sluice.yaml cannot be read (ENOENT). SLUICE_CONFIG_FILE names it.');
  });
});

describe('a live setting', () => {
  const definition = defineConfig({
    limits: { rows: setting('SLUICE_T_ROWS', integerText(1, 10), { default: 5, describe: 'Rows.', live: true }) },
    port: setting('SLUICE_T_PORT', integerText(1, 10), { default: 1, describe: 'The port.' }),
  });

  it('changes in what a service holds already, and the others wait for a restart', () => {
    const { config, reload } = loadLiveConfig(definition, {});
    const held = config.limits;
    expect(reload({ SLUICE_T_ROWS: '7', SLUICE_T_PORT: '2' })).toEqual({
      changed: ['SLUICE_T_ROWS'],
      needRestart: ['SLUICE_T_PORT'],
    });
    expect([held.rows, config.port]).toEqual([7, 1]);
  });

  it('stays as it was where anything of the new configuration is wrong', () => {
    const { config, reload } = loadLiveConfig(definition, {});
    expect(() => reload({ SLUICE_T_ROWS: '7', SLUICE_T_PORT: '99' })).toThrow('SLUICE_T_PORT is wrong');
    expect(config.limits.rows).toBe(5);
  });

  it('cannot be written by who holds it', () => {
    const { config } = loadLiveConfig(definition, {});
    expect(() => Object.assign(config.limits, { rows: 9 })).toThrow(TypeError);
  });
});

describe('effectiveSettings', () => {
  it('shows no secret, and no password in an address', () => {
    const definition = defineConfig({
      key: secret('SLUICE_T_KEY', z.string(), { describe: 'A key.' }),
      url: setting('SLUICE_T_URL', urlText('redis:'), { describe: 'An address.' }),
    });
    const shown = effectiveSettings(definition, { SLUICE_T_KEY: 'hidden1', SLUICE_T_URL: 'redis://me:hidden2@host:1' });
    expect(JSON.stringify(shown)).not.toContain('hidden');
    expect(shown[1]).toEqual({ variable: 'SLUICE_T_URL', value: 'redis://me:***@host:1', from: 'SLUICE_T_URL' });
  });
});

describe('flags', () => {
  const ids = Array.from({ length: 2_000 }, (_, index) => `wsp_${index}`);
  const on = (percent: number): string[] => ids.filter((id) => isFlagOn('keptAnswers', { percent }, id));

  it('are on for about as many workspaces as are asked for, and for the same ones at more', () => {
    expect(on(0)).toEqual([]);
    expect(Math.abs(on(25).length / ids.length - 0.25)).toBeLessThan(0.05);
    expect(on(50)).toEqual(expect.arrayContaining(on(25)));
    expect(on(100)).toEqual(ids);
  });

  it('are on for the workspaces that are named', () => {
    const rule = { workspaceIds: ['wsp_1'] };
    expect(['wsp_1', 'wsp_2'].map((id) => isFlagOn('keptAnswers', rule, id))).toEqual([true, false]);
  });

  it('are read from percentages and ids, and nothing else', () => {
    const { schema } = flagSetting('keptAnswers');
    expect(schema.parse('12.5%')).toEqual({ percent: 12.5 });
    expect(schema.parse('wsp_a, wsp_b')).toEqual({ workspaceIds: ['wsp_a', 'wsp_b'] });
    expect(schema.safeParse('101%').success).toBe(false);
    expect(schema.safeParse('most').success).toBe(false);
  });

  it.each(Object.entries(flags))('do not outlive the day by which they go: %s', (_, { removeBy }) => {
    expect(Date.parse(removeBy)).toBeGreaterThan(Date.now());
  });
});
