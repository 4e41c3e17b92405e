import { AppError } from '#libs/kernel';
import type { SubmitInput } from './submission.types.js';

/** Where the caller has named the source, or the saved query that knows it. */
export function sourcePathOf({ query }: SubmitInput): readonly string[] {
  return query.case === 'savedQuery' ? ['query', 'savedQuery', 'id'] : ['query', 'sql', 'dataSourceId'];
}

export function pausedAt(path: readonly string[]): AppError {
  return new AppError('source.paused', 'The data source is paused.', { path, retryable: true });
}
