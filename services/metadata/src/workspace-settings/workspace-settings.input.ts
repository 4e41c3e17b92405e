import type { metadataRequests, QuotaLimits, RequestOf } from '#libs/contracts';
import { isTimeZone } from '#libs/sql';
import { changedCacheTtl } from '../input/cache-ttl.js';
import { Issues } from '../input/issues.js';
import { checkCleared } from '../input/text.js';

const historyDaysMax = 3_650;
const clearable = ['timeZone', 'cacheTtlSeconds', 'historyDays', 'userQuotas', 'workspaceQuotas'];

/** By the names of the columns; what is absent stays, null is the installation's. */
export interface SettingsChange {
  readonly time_zone?: string | null;
  readonly cache_ttl_seconds?: number | null;
  readonly history_days?: number | null;
  readonly user_quotas?: QuotaLimits;
  readonly workspace_quotas?: QuotaLimits;
}

type Input = RequestOf<typeof metadataRequests.updateWorkspaceSettings>;

/** @throws AppError with every fault of the input */
export function parseSettingsChange(input: Input): SettingsChange {
  const issues = new Issues();
  checkCleared(input.cleared, clearable, issues);
  checkTimeZone(input.timeZone, issues);
  checkHistoryDays(input.historyDays, issues);
  for (const name of ['userQuotas', 'workspaceQuotas'] as const) checkQuotas(name, input[name], issues);
  const ttl = changedCacheTtl(input, issues);
  issues.throwIfAny();
  const given = <T>(name: string, value: T | undefined, none: T): T | undefined =>
    input.cleared.includes(name) ? none : value;
  const change = {
    time_zone: given<string | null>('timeZone', input.timeZone, null),
    cache_ttl_seconds: ttl,
    history_days: given<number | null>('historyDays', input.historyDays, null),
    user_quotas: given<QuotaLimits>('userQuotas', input.userQuotas, {}),
    workspace_quotas: given<QuotaLimits>('workspaceQuotas', input.workspaceQuotas, {}),
  };
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}

function checkTimeZone(name: string | undefined, issues: Issues): void {
  if (name !== undefined && !isTimeZone(name)) {
    issues.add(['timeZone'], 'timeZone must be the IANA name of a time zone, such as Europe/Berlin.');
  }
}

function checkHistoryDays(days: number | undefined, issues: Issues): void {
  if (days !== undefined && (days < 1 || days > historyDaysMax)) {
    issues.add(['historyDays'], `historyDays must be from 1 to ${historyDaysMax}.`);
  }
}

function checkQuotas(name: string, quotas: QuotaLimits | undefined, issues: Issues): void {
  for (const [kind, limit = 0] of Object.entries<number | undefined>(quotas ?? {})) {
    if (limit < 0) issues.add([name, kind], `${kind} must not be negative.`);
  }
}
