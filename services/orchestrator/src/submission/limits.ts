import type { Priority, RequestOf, runRequests, SourceConnection } from '#libs/contracts';
import { AppError, type Issue } from '#libs/kernel';
import type { OrchestratorConfig } from '../orchestrator.config.js';

export interface ResolvedLimits {
  readonly rows: number;
  readonly bytes: number;
  readonly timeoutMs: number;
  /** Of how many rows a sample is taken; absent: of all. */
  readonly sampleRows?: number;
  /** The sample is the workspace's default: where none can be taken, the query goes over all rows. */
  readonly isSampleByDefault?: boolean;
}

type LimitsInput = NonNullable<RequestOf<typeof runRequests.submitExecution>['limits']>;

/** What decides the limits beside the question itself. */
interface LimitsOrigin {
  readonly source?: Pick<SourceConnection, 'timeoutSeconds'>;
  /** The workspace's for SQL that is not saved. */
  readonly sampleRowsDefault?: number | undefined;
}

/**
 * The limits of a run: what is asked for, or else the service's own, and no longer than its source allows.
 * @throws AppError `input.invalid` with each limit that is out of bounds
 */
export function resolveLimits(
  input: LimitsInput | undefined,
  priority: Priority,
  settings: OrchestratorConfig['limits'],
  { source = {}, sampleRowsDefault }: LimitsOrigin = {},
): ResolvedLimits {
  const timeoutDefault = priority === 'SCHEDULED' ? settings.timeoutScheduledSeconds : settings.timeoutDefaultSeconds;
  const timeoutMax = Math.min(settings.timeoutMaxSeconds, source.timeoutSeconds ?? Infinity);
  const bounds = [
    { name: 'rows', value: input?.rows, max: settings.rowsMax },
    { name: 'bytes', value: input?.bytes, max: settings.bytesMax },
    { name: 'timeoutSeconds', value: input?.timeoutSeconds, max: timeoutMax },
    { name: 'sampleRows', value: input?.sampleRows, min: 0, max: settings.rowsMax },
  ];
  const [first, ...rest] = bounds.flatMap(issueOf);
  if (first) throw AppError.ofIssues([first, ...rest]);
  return {
    rows: input?.rows ?? Math.min(settings.rowsDefault, settings.rowsMax),
    bytes: input?.bytes ?? Math.min(settings.bytesDefault, settings.bytesMax),
    timeoutMs: (input?.timeoutSeconds ?? Math.min(timeoutDefault, timeoutMax)) * 1_000,
    ...sampleOf(input?.sampleRows, sampleRowsDefault),
  };
}

/** 0 asks for all rows where the workspace would take a sample. */
function sampleOf(asked: number | undefined, byDefault: number | undefined): Partial<ResolvedLimits> {
  if (asked !== undefined) return asked === 0 ? {} : { sampleRows: asked };
  return byDefault === undefined ? {} : { sampleRows: byDefault, isSampleByDefault: true };
}

interface Bound {
  readonly name: string;
  readonly value: number | undefined;
  readonly min?: number;
  readonly max: number;
}

function issueOf({ name, value, min = 1, max }: Bound): Issue[] {
  if (value === undefined || (Number.isSafeInteger(value) && value >= min && value <= max)) return [];
  return [{ code: 'input.invalid', message: `${name} must be from ${min} to ${max}.`, path: ['limits', name] }];
}
