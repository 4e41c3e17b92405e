import { z } from 'zod';
import { parseDatabaseUrl } from './database-url.js';

const truths: Readonly<Record<string, boolean>> = {
  true: true,
  '1': true,
  yes: true,
  false: false,
  '0': false,
  no: false,
};

/** true, 1, yes or false, 0, no. */
export const booleanText = z.string().transform((text, context) => {
  const value = truths[text.toLowerCase()];
  if (value !== undefined) return value;
  context.addIssue({ code: 'custom', message: 'must be true or false' });
  return z.NEVER;
});

/** A whole number within bounds. */
export function integerText(min: number, max: number): z.ZodType<number> {
  return z.coerce.number<string>().int().min(min).max(max);
}

/** Words between commas; none for the empty text. */
export const listText = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

/** An address with one of the given protocols, such as `redis:`. */
export function urlText(...protocols: readonly string[]): z.ZodType<string> {
  return z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    message: `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
  });
}

/** An address of PostgreSQL, which may name several servers between commas. */
export const databaseUrlText: z.ZodType<string> = z.string().refine((text) => parseDatabaseUrl(text) !== undefined, {
  message: 'must be a URL such as postgresql://user@host:5432/sluice, or with several hosts between commas',
});
