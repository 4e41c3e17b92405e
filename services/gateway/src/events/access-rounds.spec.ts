import { beforeEach, describe, expect, it } from 'vitest';
import { WorkspaceAccess } from '#libs/identity';
import { AccessRounds } from './access-rounds.js';
import type { RunWatch } from './run-watch.js';
import { WatchedRuns } from './watched-runs.js';

let access: WorkspaceAccess | Error;
let runs: WatchedRuns;
let rounds: AccessRounds;
let watch: RunWatch;
let elsewhere: RunWatch;

const open = () => new WorkspaceAccess([]);
const restricted = () => new WorkspaceAccess([{ assetId: 'src_1', grants: [] }]);

beforeEach(() => {
  runs = new WatchedRuns();
  access = open();
  const view = {
    watched: async (workspaceId: string) => {
      if (workspaceId === 'wsp_2') return nothing;
      if (access instanceof Error) throw access;
      return access;
    },
  };
  const nothing = open();
  rounds = new AccessRounds(view, runs, { warn: () => undefined });
  watch = runs.watch({ executionId: 'exe_1', runId: 'run_1', workspaceId: 'wsp_1' }, 1);
  elsewhere = runs.watch({ executionId: 'exe_2', runId: 'run_2', workspaceId: 'wsp_2' }, 1);
});

/** How often what is watched has been said to need another read. */
async function doubts(): Promise<number> {
  const before = watch.doubtRevision;
  await rounds.round();
  expect(elsewhere.doubtRevision).toBe(0);
  return watch.doubtRevision - before;
}

describe('the rounds of access', () => {
  it('have what is watched read again when it changes who reaches what there, and only then', async () => {
    expect(await doubts()).toBe(0);
    expect(await doubts()).toBe(0);
    access = restricted();
    expect(await doubts()).toBe(1);
    expect(await doubts()).toBe(0);
    access = restricted();
    expect(await doubts()).toBe(1);
  });

  it('do so at first where something is restricted: it may have been since the subscriber has read', async () => {
    access = restricted();
    expect(await doubts()).toBe(1);
    expect(await doubts()).toBe(0);
  });

  it('do so where nobody can say: each is asked for anew, in the subscriber’s own name', async () => {
    access = new Error('away');
    expect(await doubts()).toBe(1);
    expect(await doubts()).toBe(1);
  });
});
