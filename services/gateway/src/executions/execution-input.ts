import type { Priority, RequestOf, runRequests } from '#libs/contracts';
import type { JsonObject } from '#libs/kernel';
import { toCacheWish, type CacheInput } from '../cache/cache-input.js';
import { toParameterDefinition, type ParameterDefinitionInput } from '../parameters/parameter-definition.input.js';
import { invalidInput } from '../errors/user-error.js';

export interface RunQueryInput {
  readonly query: {
    readonly sql?: {
      readonly dataSourceId: string;
      readonly text: string;
      readonly parameters?: JsonObject | null;
      readonly parameterDefinitions?: readonly ParameterDefinitionInput[] | null;
    } | null;
    readonly savedQuery?: { readonly id: string; readonly parameters?: JsonObject | null } | null;
  };
  readonly cache?: CacheInput | null;
  readonly priority: Priority;
  readonly limits?: {
    readonly rows?: number | null;
    readonly bytes?: number | null;
    readonly timeoutSeconds?: number | null;
    readonly sampleRows?: number | null;
  } | null;
  readonly timeZone?: string | null;
  readonly waitSeconds: number;
  readonly idempotencyKey?: string | null;
}

export type SubmitRequest = RequestOf<typeof runRequests.submitExecution>;

export function toSubmitRequest(input: RunQueryInput): SubmitRequest {
  const { query, cache, priority, limits, timeZone, idempotencyKey } = input;
  return {
    query: toQuery(query),
    priority,
    limits: toLimits(limits),
    timeZone: timeZone ?? undefined,
    queryOptions: [],
    idempotencyKey: idempotencyKey ?? undefined,
    cache: cache ? toCacheWish(cache) : undefined,
  };
}

function toLimits(limits: RunQueryInput['limits']): SubmitRequest['limits'] {
  return limits
    ? {
        rows: limits.rows ?? undefined,
        bytes: limits.bytes ?? undefined,
        timeoutSeconds: limits.timeoutSeconds ?? undefined,
        sampleRows: limits.sampleRows ?? undefined,
      }
    : undefined;
}

function toQuery({ sql, savedQuery }: RunQueryInput['query']): SubmitRequest['query'] {
  if (sql) {
    const { dataSourceId, text, parameters, parameterDefinitions } = sql;
    const definitions = parameterDefinitions?.map(toParameterDefinition) ?? [];
    const value = { dataSourceId, text, parameters: parameters ?? undefined, parameterDefinitions: definitions };
    return { case: 'sql', value };
  }
  if (savedQuery) {
    return { case: 'savedQuery', value: { id: savedQuery.id, parameters: savedQuery.parameters ?? undefined } };
  }
  // @oneOf sees to it that there is exactly one.
  throw invalidInput('give what to run', 'query');
}

const waitSecondsMax = 60;

/** How long the answer may wait. The server may answer sooner, so what is too long is cut. */
export function waitMsOf({ waitSeconds }: RunQueryInput): number {
  if (waitSeconds < 0) throw invalidInput('waitSeconds must not be negative', 'waitSeconds');
  return Math.min(waitSeconds, waitSecondsMax) * 1_000;
}
