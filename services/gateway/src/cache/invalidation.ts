import { z } from 'zod';
import type { RequestOf, runRequests } from '#libs/contracts';
import { AppError, type Issue } from '#libs/kernel';

type Invalidation = RequestOf<typeof runRequests.invalidateCache>;

export interface InvalidateCacheInput {
  readonly dataSourceIds?: readonly string[] | null | undefined;
  readonly savedQueryIds?: readonly string[] | null | undefined;
  readonly tags?: readonly string[] | null | undefined;
}

export function toInvalidation({ dataSourceIds, savedQueryIds, tags }: InvalidateCacheInput): Invalidation {
  return {
    dataSourceIds: [...(dataSourceIds ?? [])],
    savedQueryIds: [...(savedQueryIds ?? [])],
    tags: [...(tags ?? [])],
  };
}

const texts = z.array(z.string()).nullish();
const body = z.strictObject({
  dataSourceIds: texts,
  savedQueryIds: texts,
  tags: texts,
});

/** The body of the call over HTTP, which has the members of the mutation's input. @throws AppError with every fault */
export function parseInvalidation(value: unknown): InvalidateCacheInput {
  const { data, error } = body.safeParse(value ?? {});
  if (data) return data;
  const [first, ...rest] = error.issues.map(({ message, path }): Issue => ({
    code: 'input.invalid',
    message,
    path: path.map(String),
  }));
  if (!first) throw error;
  throw AppError.ofIssues([first, ...rest]);
}
