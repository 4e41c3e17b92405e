import type { Request } from 'express';
import { z } from 'zod';
import { AppError } from '#libs/kernel';

const variables = z.record(z.string(), z.unknown()).nullish();
const inBody = z.object({ query: z.string().min(1), operationName: z.string().nullish(), variables });
const inAddress = z.object({
  query: z.string().min(1),
  operationName: z.string().optional(),
  variables: z.string().transform(parseJson).pipe(variables).optional(),
});

export type SseQuestion = z.output<typeof inBody>;

/** What a request asks, in its body or in its address. @throws AppError input.invalid where it asks nothing */
export function questionOf({ method, body, query }: Request): SseQuestion {
  const parsed = method === 'GET' ? inAddress.safeParse(query) : inBody.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new AppError('input.invalid', 'A request has a query, and variables that are a JSON object.');
}

function parseJson(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'not JSON' });
    return z.NEVER;
  }
}
