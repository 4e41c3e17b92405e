import type { Priority, RequestOf, runRequests } from '#libs/contracts';
import { invalidInput } from '../errors/user-error.js';

export interface RunQueryInput {
  readonly query: {
    readonly sql?: { readonly dataSourceId: string; readonly text: string } | null;
    readonly savedQuery?: { readonly id: string } | null;
  };
  readonly cache?: {
    readonly maxAgeSeconds?: number | null;
    readonly staleWhileRevalidateSeconds?: number | null;
  } | null;
  readonly priority: Priority;
  readonly limits?: {
    readonly rows?: number | null;
    readonly bytes?: number | null;
    readonly timeoutSeconds?: number | null;
  } | null;
  readonly waitSeconds: number;
  readonly idempotencyKey?: string | null;
}

type SubmitRequest = RequestOf<typeof runRequests.submitExecution>;

export function toSubmitRequest({ query, cache, priority, limits, idempotencyKey }: RunQueryInput): SubmitRequest {
  return {
    query: toQuery(query),
    priority,
    limits: limits
      ? {
          rows: limits.rows ?? undefined,
          bytes: limits.bytes ?? undefined,
          timeoutSeconds: limits.timeoutSeconds ?? undefined,
        }
      : undefined,
    idempotencyKey: idempotencyKey ?? undefined,
    cache: cache
      ? {
          maxAgeSeconds: cache.maxAgeSeconds ?? undefined,
          staleWhileRevalidateSeconds: cache.staleWhileRevalidateSeconds ?? undefined,
        }
      : undefined,
  };
}

function toQuery({ sql, savedQuery }: RunQueryInput['query']): SubmitRequest['query'] {
  if (sql) return { case: 'sql', value: { dataSourceId: sql.dataSourceId, text: sql.text, parameterDefinitions: [] } };
  if (savedQuery) return { case: 'savedQuery', value: { id: savedQuery.id } };
  // @oneOf sees to it that there is exactly one.
  throw invalidInput('give what to run', 'query');
}

const waitSecondsMax = 60;

/** How long the answer may wait. The server may answer sooner, so what is too long is cut. */
export function waitMsOf({ waitSeconds }: RunQueryInput): number {
  if (waitSeconds < 0) throw invalidInput('waitSeconds must not be negative', 'waitSeconds');
  return Math.min(waitSeconds, waitSecondsMax) * 1_000;
}
