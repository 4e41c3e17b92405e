import { AppError } from '#libs/kernel';

/**
 * One message for all readers: whoever is told why a statement does not fit a policy is told of the policy. The
 * reason is for the log, and for the author of a policy.
 */
export function policyRejection(reason: string, cause?: unknown): AppError {
  return new AppError('sql.rejected', 'This statement cannot be run under the row policies of its data source.', {
    internalMessage: reason,
    details: { reason },
    cause,
  });
}
