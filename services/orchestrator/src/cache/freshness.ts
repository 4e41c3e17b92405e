import type { RequestOf, runRequests, SavedQuery, SourceConnection, WorkspaceSettings } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import type { OrchestratorConfig } from '../orchestrator.config.js';

/** What kept results may answer. */
export interface Freshness {
  /** 0: none, and no run that has begun at its source. */
  readonly maxAgeSeconds: number;
  /** Older by at most this, while a new run is under way behind. */
  readonly staleSeconds: number;
}

type CacheWish = RequestOf<typeof runRequests.submitExecution>['cache'];

/** What was asked, as far as it says how old a kept result may be. */
export interface Asked {
  readonly source: Pick<SourceConnection, 'cacheTtlSeconds'>;
  readonly savedQuery: Pick<SavedQuery, 'cacheTtlSeconds'> | undefined;
  readonly settings?: Pick<WorkspaceSettings, 'cacheTtlSeconds'> | undefined;
}

/** So that results of one moment do not all end in one moment. */
const jitter = 0.1;

/**
 * How old a kept result may be: what is asked for, or else what the saved query says, its source, its workspace, or the
 * installation.
 * @throws AppError `input.invalid` where what is asked for is out of bounds
 */
export function resolveFreshness(
  wish: CacheWish,
  { source, savedQuery, settings }: Asked,
  config: Pick<OrchestratorConfig['cache'], 'adhocTtlSeconds' | 'savedTtlSeconds' | 'ttlMaxSeconds'>,
  random: () => number = Math.random,
): Freshness {
  const configured =
    savedQuery?.cacheTtlSeconds ??
    source.cacheTtlSeconds ??
    settings?.cacheTtlSeconds ??
    (savedQuery ? config.savedTtlSeconds : config.adhocTtlSeconds);
  const maxAgeSeconds =
    checked(wish?.maxAgeSeconds, 'maxAgeSeconds', config.ttlMaxSeconds) ??
    Math.min(configured, config.ttlMaxSeconds) * (1 - jitter * random());
  const staleSeconds =
    checked(wish?.staleWhileRevalidateSeconds, 'staleWhileRevalidateSeconds', config.ttlMaxSeconds) ?? 0;
  return { maxAgeSeconds, staleSeconds };
}

function checked(value: number | undefined, name: string, max: number): number | undefined {
  if (value === undefined || (value >= 0 && value <= max)) return value;
  throw new AppError('input.invalid', `${name} must be from 0 to ${max}.`, { path: ['cache', name] });
}
