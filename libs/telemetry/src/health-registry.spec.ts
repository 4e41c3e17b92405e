import { expect, it, vi } from 'vitest';
import { HealthRegistry } from './index.js';

it('is ready exactly when every dependency answers, and says which does not', async () => {
  const health = new HealthRegistry();
  health.register('database', () => Promise.resolve());
  health.register('broker', () => Promise.reject(new Error('ECONNREFUSED')));
  expect(await health.readiness()).toEqual({
    ok: false,
    checks: { database: { ok: true }, broker: { ok: false, reason: 'ECONNREFUSED' } },
  });
});

it('counts a dependency that hangs as down', async () => {
  vi.useFakeTimers();
  const health = new HealthRegistry();
  health.register('database', () => new Promise(() => undefined));
  const readiness = health.readiness();
  await vi.advanceTimersByTimeAsync(2_100);
  expect((await readiness).checks['database']?.reason).toContain('no answer');
  vi.useRealTimers();
});

it('is not ready while draining', async () => {
  const health = new HealthRegistry();
  health.startDraining();
  expect((await health.readiness()).ok).toBe(false);
});
