import { beforeEach, describe, expect, it } from 'vitest';
import type { Manifest } from '#libs/contracts';
import { FakeClock } from '#libs/testing';
import { FakeRun } from '../../test/fake-run.js';
import { CompleteManifests } from './complete-manifests.store.js';

const second = 1_000;
let clock: FakeClock;
let manifests: CompleteManifests;
let run: FakeRun;

beforeEach(() => {
  clock = new FakeClock();
  manifests = new CompleteManifests(clock);
  // It commits nothing.
  run = new FakeRun(undefined as never);
});

const kept = (change: Partial<Manifest>): Manifest => {
  const manifest: Manifest = { ...run.manifest, state: 'COMPLETE', ...change };
  manifests.keep(manifest);
  return manifest;
};

describe('the manifest of a whole result', () => {
  it('is given until it expires, and not from that moment on', () => {
    const manifest = kept({ expiresAt: new Date(clock.nowMs() + 10 * second) });
    expect(manifests.get(run.execution)).toBe(manifest);
    clock.advance(10 * second - 1);
    expect(manifests.get(run.execution)).toBe(manifest);
    clock.advance(1);
    expect(manifests.get(run.execution)).toBeUndefined();
  });

  it('is given for 30 s after it was read, however often it is asked for, so that a limit that ends it early is kept then', () => {
    const manifest = kept({ expiresAt: new Date(clock.nowMs() + 7 * 86_400 * second) });
    for (let elapsed = 0; elapsed < 30; elapsed += 1) {
      expect(manifests.get(run.execution)).toBe(manifest);
      clock.advance(second);
    }
    expect(manifests.get(run.execution)).toBe(manifest);
    clock.advance(1);
    expect(manifests.get(run.execution)).toBeUndefined();
  });

  it('is given for another 30 s where it was read anew', () => {
    kept({});
    clock.advance(29 * second);
    const manifest = kept({});
    clock.advance(29 * second);
    expect(manifests.get(run.execution)).toBe(manifest);
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
