import { payloadOf } from '../errors/payload.js';
import type { UserError } from '../errors/user-error.js';

export interface SourceTestPayload {
  readonly ok: boolean;
  readonly latencyMs: number | null;
  readonly serverVersion: string | null;
  readonly errors: readonly UserError[];
}

/** A source that does not answer is an outcome of its test: not ok, and why. */
export async function sourceTestPayload(
  test: () => Promise<{ readonly latencyMs: number; readonly serverVersion: string }>,
): Promise<SourceTestPayload> {
  const { latencyMs, serverVersion, errors } = await payloadOf(test);
  return { ok: errors.length === 0, latencyMs: latencyMs ?? null, serverVersion: serverVersion ?? null, errors };
}
