import { LRUCache } from 'lru-cache';
import { AppError } from '#libs/kernel';
import { sqlLengthMax } from '../sql-text.js';
import { TemplateParser } from './template-parser.js';
import type { Template } from './syntax-tree.js';

/** Characters of all templates that are kept read. */
const keptCharactersMax = 5_000_000;

const parsed = new LRUCache<string, Template>({
  maxSize: keptCharactersMax,
  sizeCalculation: ({ text }) => text.length + 1_000,
});

/** Whether a text has anything to do with templates; most statements have not, and are run as they are. */
export function hasTags(text: string): boolean {
  return text.includes('{{') || text.includes('{%');
}

/**
 * The template in a text, read once and kept while there is room.
 * @throws AppError sql.rejected with line and column where it is none; sql.too_long
 */
export function parseTemplate(text: string): Template {
  const known = parsed.get(text);
  if (known) return known;
  if (text.length > sqlLengthMax) {
    throw new AppError(
      'sql.too_long',
      `The statement has ${text.length} characters; at most ${sqlLengthMax} are taken.`,
    );
  }
  const template = new TemplateParser(text).parse();
  parsed.set(text, template);
  return template;
}
