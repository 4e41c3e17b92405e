import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import {
  configuredEnvironment,
  defineConfig,
  integerText,
  loadLiveConfig,
  setting,
  type ConfigDefinition,
} from '#libs/config';
import { AppLogger, type LogLevel } from '#libs/telemetry';
import { watchConfig } from './watch-config.js';

const definition = defineConfig({
  depth: setting('SLUICE_TEST_DEPTH', integerText(1, 100), { default: 1, live: true, describe: 'Changes at once.' }),
  port: setting('SLUICE_TEST_PORT', integerText(1, 100), { default: 1, describe: 'Does not.' }),
}) satisfies ConfigDefinition;

const folder = mkdtempSync(join(tmpdir(), 'sluice-watch-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const file = join(folder, 'sluice.yaml');
const endings: (() => void)[] = [];

async function watched() {
  writeFileSync(file, 'version: 1\nsettings:\n  SLUICE_TEST_DEPTH: 2\n');
  vi.stubEnv('SLUICE_CONFIG_FILE', file);
  const { config, reload } = loadLiveConfig(definition, await configuredEnvironment());
  const lines: Record<string, unknown>[] = [];
  const level: { now: LogLevel } = { now: 'info' };
  endings.push(
    watchConfig({
      logger: AppLogger.create({
        service: 'auth',
        instance: 'auth-1',
        level: level.now,
        destination: { write: (line) => void lines.push(JSON.parse(line)) },
      }),
      reload: async () => reload(await configuredEnvironment()),
      logLevel: () => level.now,
    }),
  );
  return { config, lines, level };
}

afterEach(() => {
  for (const end of endings.splice(0)) end();
  vi.unstubAllEnvs();
});

describe('The configuration of a running service', () => {
  it('is read anew at SIGHUP: what is live holds, and what needs a restart is a warning', async () => {
    const { config, lines, level } = await watched();
    level.now = 'warn';
    writeFileSync(file, 'version: 1\nsettings:\n  SLUICE_TEST_DEPTH: 3\n  SLUICE_TEST_PORT: 9\n');
    process.kill(process.pid, 'SIGHUP');
    await vi.waitFor(() => expect(lines).toHaveLength(1));
    expect(lines).toMatchObject([{ level: 'warn', changed: ['SLUICE_TEST_DEPTH'], needRestart: ['SLUICE_TEST_PORT'] }]);
    expect(config).toMatchObject({ depth: 3, port: 1 });
  });

  it('stays as it was where the file has a fault, which is told', async () => {
    const { config, lines } = await watched();
    writeFileSync(file, 'version: 1\nsettings:\n  SLUICE_TEST_DEPTH: many\n');
    process.kill(process.pid, 'SIGHUP');
    await vi.waitFor(() => expect(lines).toHaveLength(1));
    expect(lines).toMatchObject([{ level: 'error', msg: 'the configuration has faults and stays as it was' }]);
    expect(config.depth).toBe(2);
  });

  it('is read anew within seconds when another file takes the place of its own', { timeout: 20_000 }, async () => {
    const { config } = await watched();
    const replaced = (): void => {
      // Each time another file: what is there when the watch begins is no change to it.
      writeFileSync(`${file}.new`, 'version: 1\nsettings:\n  SLUICE_TEST_DEPTH: 4\n');
      renameSync(`${file}.new`, file);
      expect(config.depth).toBe(4);
    };
    await vi.waitFor(replaced, { timeout: 15_000, interval: 100 });
  });
});
