import { createHash } from 'node:crypto';
import { keyOfValues, type BoundValue } from '#libs/sql';
import type { SessionIdentity } from '../policy/session-identity.js';
import type { ResolvedLimits } from './limits.js';

export interface FlightParts {
  readonly workspaceId: string;
  readonly sourceId: string;
  readonly sourceVersion: number;
  /** As sent to the source, never a template. */
  readonly sql: string;
  readonly values: readonly BoundValue[];
  /** Of the row policies in the statement; see CompiledQuery. */
  readonly policyFingerprint: string;
  /** What else the answer is invalidated by: of the saved query, as nothing of it is in the statement. */
  readonly subjects: readonly string[];
  readonly limits: ResolvedLimits;
  /** See ceiling.ts. */
  readonly ceiling: string;
  /** What the source's session says of the caller; absent where the source does not go by who asks. */
  readonly session: SessionIdentity | undefined;
}

/**
 * A hash of everything that can change the answer: equal keys, equal answers, for whoever may ask. JSON of a list keeps
 * the parts apart, so no two lists of parts give one text.
 */
export function flightKey({
  workspaceId,
  sourceId,
  sourceVersion,
  limits,
  ceiling,
  session,
  ...plan
}: FlightParts): Buffer {
  const limitParts = [limits.rows, limits.bytes, limits.timeoutMs];
  const parts = [
    workspaceId,
    sourceId,
    sourceVersion,
    plan.sql,
    keyOfValues(plan.values),
    plan.policyFingerprint,
    plan.subjects,
    ...limitParts,
    ...(ceiling === '' ? [] : [ceiling]),
    ...(session ? [session] : []),
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}
