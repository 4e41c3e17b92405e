import { AppError } from './app-error.js';

/** The version that was read is no longer the one that is there. @param what the beginning of the sentence that says so */
export function changedMeanwhile(what = 'It'): AppError {
  return new AppError('entity.conflict', `${what} has been changed since it was read. Read it again.`, {
    path: ['version'],
  });
}
