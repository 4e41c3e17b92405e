import { expect, it, onTestFinished, vi } from 'vitest';
import { loadConfig } from '#libs/config';
import { SystemClock } from '#libs/kernel';
import type { AppLogger } from '#libs/telemetry';
import { resultsConfig } from '../results.config.js';
import { RetentionLoop } from './retention-loop.service.js';
import type { RetentionRepository } from './retention.repository.js';
import type { RetentionService } from './retention.service.js';

it('A sweep that fails is not said to go well again by the turns that other processes take', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const logged: string[] = [];
  const write = (_fields: object, text: string): void => void logged.push(text);
  let isOurs = true;
  let claims = 0;
  const repository = {
    claimSweep: async (name: string) => {
      if (name !== 'expiry') return false;
      claims += 1;
      return isOurs;
    },
  };
  const expire = vi.fn<() => Promise<number>>(() => Promise.reject(new Error('not now')));
  const config = loadConfig(resultsConfig, {
    SLUICE_REDIS_URL: 'redis://127.0.0.1:1',
    SLUICE_STORE_DIRECTORY: '/tmp',
    SLUICE_DATABASE_URL: 'postgresql://127.0.0.1:1/none',
    SLUICE_RESULTS_EXPIRY_SWEEP_SECONDS: '10',
  });
  const loop = new RetentionLoop(
    { expire } as unknown as RetentionService,
    repository as unknown as RetentionRepository,
    { debug: write, info: write, warn: write } as unknown as AppLogger,
    new SystemClock(),
    config,
  );
  loop.onApplicationBootstrap();
  onTestFinished(() => loop.onModuleDestroy());
  await vi.advanceTimersByTimeAsync(11_000);
  isOurs = false;
  await vi.advanceTimersByTimeAsync(33_000);
  expect(claims).toBeGreaterThan(3);
  expect(logged).toEqual(['a periodic task has failed']);
  isOurs = true;
  expire.mockResolvedValueOnce(1);
  await vi.advanceTimersByTimeAsync(11_000);
  expect(logged).toEqual(['a periodic task has failed', 'a periodic task goes well again']);
});
