import { createHash } from 'node:crypto';
import { runRequests, type RequestOf } from '#libs/contracts';

/** Tells if two calls with one idempotency key ask for the same: a hash of the input without the key itself, and
 * without what its options queries answered meanwhile. */
export function inputHash(input: RequestOf<typeof runRequests.submitExecution>): Buffer {
  const bytes = runRequests.submitExecution.request.encode({ ...input, idempotencyKey: undefined, queryOptions: [] });
  return createHash('sha256').update(bytes).digest();
}
