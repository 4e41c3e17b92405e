import { z } from 'zod';
import type { RequestOf, runRequests } from '#libs/contracts';
import { AppError, inPlainWords, placesOf, type Issue } from '#libs/kernel';

type Invalidation = RequestOf<typeof runRequests.invalidateCache>;

interface InvalidateTableInput {
  readonly dataSourceId: string;
  readonly table: { readonly catalog?: string | null; readonly schema?: string | null; readonly name: string };
}

export interface InvalidateCacheInput {
  readonly dataSourceIds?: readonly string[] | null | undefined;
  readonly tables?: readonly InvalidateTableInput[] | null | undefined;
  readonly savedQueryIds?: readonly string[] | null | undefined;
  readonly tags?: readonly string[] | null | undefined;
}

export function toInvalidation({ dataSourceIds, tables, savedQueryIds, tags }: InvalidateCacheInput): Invalidation {
  return {
    dataSourceIds: [...(dataSourceIds ?? [])],
    savedQueryIds: [...(savedQueryIds ?? [])],
    tags: [...(tags ?? [])],
    tables: (tables ?? []).map(({ dataSourceId, table: { catalog, schema, name } }) => ({
      dataSourceId,
      table: { catalog: catalog ?? undefined, schema: schema ?? undefined, name },
    })),
  };
}

const texts = z.array(z.string()).nullish();
const table = z.strictObject({ catalog: z.string().nullish(), schema: z.string().nullish(), name: z.string() });
const body = z.strictObject({
  dataSourceIds: texts,
  tables: z.array(z.strictObject({ dataSourceId: z.string(), table })).nullish(),
  savedQueryIds: texts,
  tags: texts,
});

/** The body of the call over HTTP, which has the members of the mutation's input. @throws AppError with every fault */
export function parseInvalidation(value: unknown): InvalidateCacheInput {
  const { data, error } = body.safeParse(value ?? {}, inPlainWords);
  if (data) return data;
  const [first, ...rest] = placesOf(error).map((fault): Issue => ({ code: 'input.invalid', ...fault }));
  if (!first) throw error;
  throw AppError.ofIssues([first, ...rest]);
}
