import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { forgetRunning, isReady, noteReady, untilForgotten } from './running.ts';
import { StateDirectory } from './state-directory.ts';

it('An installation whose folder was deleted under it ends, as npm stop would not find it', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-running-'));
  const state = new StateDirectory(directory);
  writeFileSync(state.file('running.json'), '{}');
  let isForgotten = false;
  const forgotten = untilForgotten(state, 5).then(() => (isForgotten = true));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(isForgotten).toBe(false);
  rmSync(directory, { recursive: true });
  await forgotten;
});

it('What has stopped leaves no word that it is running or ready', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-running-'));
  const state = new StateDirectory(directory);
  writeFileSync(state.file('running.json'), '{}');
  noteReady(state);
  expect([isReady(state, process.pid), isReady(state, 1)]).toEqual([true, false]);
  forgetRunning(state);
  expect(readdirSync(directory).filter((name) => name.endsWith('.json'))).toEqual([]);
  rmSync(directory, { recursive: true });
});
