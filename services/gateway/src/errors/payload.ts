import { AppError } from '#libs/kernel';
import { isFault, userErrorsOf, type UserError } from './user-error.js';

type Members<T extends object> = { readonly [K in keyof T]?: T[K] | null };

export type Payload<T extends object> = Members<T> & { readonly errors: readonly UserError[] };

/**
 * A mutation's payload: what `work` made, or why it was refused. On a conflict `current` adds the thing as it is
 * now: the one that was to be changed, or the one of this id that is in the way.
 * Faults are thrown on.
 */
export async function payloadOf<T extends object>(
  work: () => Promise<T>,
  current?: (conflictId: string | undefined) => Promise<Members<T>>,
): Promise<Payload<T>> {
  try {
    return { ...(await work()), errors: [] };
  } catch (error) {
    if (!(error instanceof AppError) || isFault(error)) throw mutationFault(error);
    const errors = userErrorsOf(error);
    const isConflict = errors.some(({ code }) => code === 'CONFLICT');
    // A payload of nothing but errors is complete: every other field of a payload is nullable.
    const state: Members<T> = isConflict && current ? await current(conflictIdOf(error)) : {};
    return { ...state, errors };
  }
}

/** What stands in the way of something new, where the service names it. */
function conflictIdOf({ details }: AppError): string | undefined {
  const id = details?.['conflictId'];
  return typeof id === 'string' ? id : undefined;
}

/** Without an answer nobody knows whether a change was made, and the caller must not be told that it was not. */
export function mutationFault(error: unknown): unknown {
  if (!(error instanceof AppError) || error.code !== 'bus.timeout') return error;
  return new AppError('bus.unknown_outcome', 'No answer came in time: it may have been done or not.', {
    internalMessage: error.message,
    retryable: error.retryable,
    cause: error,
  });
}
