import { z } from 'zod';
import type { RequestOf, runRequests } from '#libs/contracts';
import { AppError, type Issue } from '#libs/kernel';

type Invalidation = RequestOf<typeof runRequests.invalidateCache>;

export interface InvalidateCacheInput {
  readonly dataSourceIds?: readonly string[] | null | undefined;
  readonly tables?:
    | readonly {
        readonly dataSourceId: string;
        readonly table: {
          readonly catalog?: string | null | undefined;
          readonly schema?: string | null | undefined;
          readonly name: string;
        };
      }[]
    | null
    | undefined;
  readonly savedQueryIds?: readonly string[] | null | undefined;
  readonly tags?: readonly string[] | null | undefined;
}

export function toInvalidation({ dataSourceIds, tables, savedQueryIds, tags }: InvalidateCacheInput): Invalidation {
  return {
    dataSourceIds: [...(dataSourceIds ?? [])],
    tables: (tables ?? []).map(({ dataSourceId, table: { catalog, schema, name } }) => ({
      dataSourceId,
      catalog: catalog ?? undefined,
      schema: schema ?? undefined,
      name,
    })),
    savedQueryIds: [...(savedQueryIds ?? [])],
    tags: [...(tags ?? [])],
  };
}

const texts = z.array(z.string()).nullish();
const tableName = z.strictObject({
  catalog: z.string().nullish(),
  schema: z.string().nullish(),
  name: z.string(),
});
const body = z.strictObject({
  dataSourceIds: texts,
  tables: z.array(z.strictObject({ dataSourceId: z.string(), table: tableName })).nullish(),
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
