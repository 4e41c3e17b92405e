import type { metadataRequests, QuotaLimits, RequestOf } from '#libs/contracts';
import { isTimeZone } from '#libs/sql';
import { changedCacheTtl } from '../input/cache-ttl.js';
import { Issues } from '../input/issues.js';
import { checkCleared } from '../input/text.js';

const daysMax = 3_650;
const clearable = [
  ...['timeZone', 'cacheTtlSeconds', 'historyDays', 'resultDays', 'resultBytesMax', 'sampleRows'],
  ...['durableHits', 'userQuotas', 'workspaceQuotas'],
];

/** By the names of the columns; what is absent stays, null is the installation's. */
export interface SettingsChange {
  readonly time_zone?: string | null;
  readonly cache_ttl_seconds?: number | null;
  readonly history_days?: number | null;
  readonly result_days?: number | null;
  readonly result_bytes_max?: number | null;
  readonly sample_rows?: number | null;
  readonly durable_hits?: boolean;
  readonly user_quotas?: QuotaLimits;
  readonly workspace_quotas?: QuotaLimits;
}

type Input = RequestOf<typeof metadataRequests.updateWorkspaceSettings>;

/** @throws AppError with every fault of the input */
export function parseSettingsChange(input: Input): SettingsChange {
  const issues = new Issues();
  checkCleared(input.cleared, clearable, issues);
  checkTimeZone(input.timeZone, issues);
  checkDays('historyDays', input.historyDays, issues);
  checkDays('resultDays', input.resultDays, issues);
  if ((input.resultBytesMax ?? 0) < 0) issues.add(['resultBytesMax'], 'resultBytesMax must not be negative.');
  if ((input.sampleRows ?? 1) < 1) issues.add(['sampleRows'], 'sampleRows must be 1 or more.');
  for (const name of ['userQuotas', 'workspaceQuotas'] as const) checkQuotas(name, input[name], issues);
  const ttl = changedCacheTtl(input, issues);
  issues.throwIfAny();
  const given = <T>(name: string, value: T | undefined, none: T): T | undefined =>
    input.cleared.includes(name) ? none : value;
  const change = {
    time_zone: given<string | null>('timeZone', input.timeZone, null),
    cache_ttl_seconds: ttl,
    history_days: given<number | null>('historyDays', input.historyDays, null),
    result_days: given<number | null>('resultDays', input.resultDays, null),
    result_bytes_max: given<number | null>('resultBytesMax', input.resultBytesMax, null),
    sample_rows: given<number | null>('sampleRows', input.sampleRows, null),
    durable_hits: given<boolean>('durableHits', input.durableHits, false),
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

function checkDays(name: string, days: number | undefined, issues: Issues): void {
  if (days !== undefined && (days < 1 || days > daysMax)) {
    issues.add([name], `${name} must be from 1 to ${daysMax}.`);
  }
}

function checkQuotas(name: string, quotas: QuotaLimits | undefined, issues: Issues): void {
  for (const [kind, limit = 0] of Object.entries<number | undefined>(quotas ?? {})) {
    if (limit < 0) issues.add([name, kind], `${kind} must not be negative.`);
  }
}
