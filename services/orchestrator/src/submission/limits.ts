import type { Priority, RequestOf, runRequests } from '#libs/contracts';
import { AppError, type Issue } from '#libs/kernel';
import type { OrchestratorConfig } from '../orchestrator.config.js';

export interface ResolvedLimits {
  readonly rows: number;
  readonly bytes: number;
  readonly timeoutMs: number;
  /** Of how many rows a sample is taken; absent: of all. */
  readonly sampleRows?: number;
}

type LimitsInput = NonNullable<RequestOf<typeof runRequests.submitExecution>['limits']>;

/**
 * The limits of a run: what is asked for, or else the service's own.
 * @throws AppError `input.invalid` with each limit that is out of bounds
 */
export function resolveLimits(
  input: LimitsInput | undefined,
  priority: Priority,
  settings: OrchestratorConfig['limits'],
): ResolvedLimits {
  const timeoutDefault = priority === 'SCHEDULED' ? settings.timeoutScheduledSeconds : settings.timeoutDefaultSeconds;
  const bounds = [
    { name: 'rows', value: input?.rows, max: settings.rowsMax },
    { name: 'bytes', value: input?.bytes, max: settings.bytesMax },
    { name: 'timeoutSeconds', value: input?.timeoutSeconds, max: settings.timeoutMaxSeconds },
    { name: 'sampleRows', value: input?.sampleRows, max: settings.rowsMax },
  ];
  const [first, ...rest] = bounds.flatMap(issueOf);
  if (first) throw AppError.ofIssues([first, ...rest]);
  return {
    rows: input?.rows ?? Math.min(settings.rowsDefault, settings.rowsMax),
    bytes: input?.bytes ?? Math.min(settings.bytesDefault, settings.bytesMax),
    timeoutMs: (input?.timeoutSeconds ?? Math.min(timeoutDefault, settings.timeoutMaxSeconds)) * 1_000,
    ...(input?.sampleRows === undefined ? {} : { sampleRows: input.sampleRows }),
  };
}

function issueOf({ name, value, max }: { name: string; value: number | undefined; max: number }): Issue[] {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 1 && value <= max)) return [];
  return [{ code: 'input.invalid', message: `${name} must be from 1 to ${max}.`, path: ['limits', name] }];
}
