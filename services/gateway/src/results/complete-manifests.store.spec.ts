import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Manifest } from '#libs/contracts';
import { FakeRun } from '../../test/fake-run.js';
import { CompleteManifests } from './complete-manifests.store.js';

const minute = 60_000;
let manifests: CompleteManifests;
let run: FakeRun;

beforeEach(() => {
  vi.useFakeTimers();
  manifests = new CompleteManifests();
  // It commits nothing.
  run = new FakeRun(undefined as never);
});
afterEach(() => void vi.useRealTimers());

const kept = (change: Partial<Manifest>): Manifest => {
  const manifest: Manifest = { ...run.manifest, state: 'COMPLETE', ...change };
  manifests.keep(manifest);
  return manifest;
};

describe('the manifest of a whole result', () => {
  it('is given until it expires, and not from that moment on', () => {
    const manifest = kept({ expiresAt: new Date(Date.now() + minute) });
    expect(manifests.get(run.execution)).toBe(manifest);
    vi.advanceTimersByTime(minute - 1);
    expect(manifests.get(run.execution)).toBe(manifest);
    vi.advanceTimersByTime(1);
    expect(manifests.get(run.execution)).toBeUndefined();
  });

  it('is given to its workspace alone', () => {
    kept({});
    expect(manifests.get({ ...run.execution, workspaceId: 'another' })).toBeUndefined();
  });

  it('is not kept where anything of it may change yet', () => {
    kept({ state: 'WRITING' });
    expect(manifests.get(run.execution)).toBeUndefined();
  });
});
