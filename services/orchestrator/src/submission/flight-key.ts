import { createHash } from 'node:crypto';
import type { ResolvedLimits } from './limits.js';

export interface FlightParts {
  readonly workspaceId: string;
  readonly sourceId: string;
  readonly sourceVersion: number;
  /** As sent to the source, never a template. */
  readonly sql: string;
  readonly limits: ResolvedLimits;
}

/**
 * A hash of everything that can change the answer: equal keys, equal answers, for whoever may ask. JSON of a list keeps
 * the parts apart, so no two lists of parts give one text.
 */
export function flightKey({ workspaceId, sourceId, sourceVersion, sql, limits }: FlightParts): Buffer {
  const parts = [workspaceId, sourceId, sourceVersion, sql, limits.rows, limits.bytes, limits.timeoutMs];
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}
