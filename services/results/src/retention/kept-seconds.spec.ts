import { expect, it } from 'vitest';
import { loadConfig } from '#libs/config';
import { resultsConfig } from '../results.config.js';
import { keptSeconds } from './kept-seconds.js';

const day = 86_400;
const kept = (settings: Record<string, string>): number => {
  const needed = {
    SLUICE_REDIS_URL: 'redis://127.0.0.1:1',
    SLUICE_STORE_DIRECTORY: '/tmp',
    SLUICE_DATABASE_URL: 'postgresql://127.0.0.1:1/none',
  };
  return keptSeconds(loadConfig(resultsConfig, { ...needed, ...settings }).retention);
};

it('a result is kept for as long as is set, but never shorter than the cache may answer with it', () => {
  expect(kept({})).toBe(7 * day);
  expect(kept({ SLUICE_RESULTS_TTL_SECONDS: '60' })).toBeGreaterThan(2 * day);
  expect(kept({ SLUICE_ORCHESTRATOR_CACHE_TTL_MAX_SECONDS: String(7 * day) })).toBeGreaterThan(14 * day);
  expect(kept({ SLUICE_RESULTS_TTL_SECONDS: String(30 * day) })).toBe(30 * day);
});
