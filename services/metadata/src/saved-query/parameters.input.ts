import type { ParameterDefinition } from '#libs/contracts';
import { AppError, isId } from '#libs/kernel';
import { checkDefinitions, hasTags, parseTemplate } from '#libs/sql';
import type { Issues } from '../input/issues.js';

const titleMax = 200;
/** Each copy of the query in memory has them too. */
const bytesMax = 256 * 1_024;

/** What is wrong in definitions of parameters, at their places below `parameters`. */
export function checkParameters(definitions: readonly ParameterDefinition[], issues: Issues): void {
  if (Buffer.byteLength(JSON.stringify(definitions)) > bytesMax) {
    issues.add(['parameters'], `parameters must be at most ${bytesMax} bytes of JSON.`, 'input.too_large');
    return;
  }
  const faults = checkDefinitions(
    definitions.map(({ options, ...definition }) => ({
      ...definition,
      options: options?.values.map(({ value = null }) => ({ value })),
    })),
  );
  issues.addAll(faults.map((fault) => ({ ...fault, path: ['parameters', ...fault.path] })));
  for (const [index, { title, options, optionsQueryId }] of definitions.entries()) {
    const place = ['parameters', String(index)];
    checkTitle(title, [...place, 'title'], issues);
    for (const [at, option] of options?.values.entries() ?? []) {
      checkTitle(option.title, [...place, 'options', String(at), 'title'], issues);
    }
    if (optionsQueryId !== undefined && !isId('savedQuery', optionsQueryId)) {
      issues.add([...place, 'optionsQueryId'], 'There is no such saved query.', 'saved_query.not_found');
    }
  }
}

/** A template that cannot be read would be refused each time that it is run. */
export function checkTemplate(sql: string, issues: Issues): void {
  if (!hasTags(sql)) return;
  try {
    parseTemplate(sql);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    issues.add(['sql'], error.publicMessage, error.code);
  }
}

function checkTitle(title: string | undefined, path: readonly string[], issues: Issues): void {
  if (title === undefined) return;
  if (title.length > titleMax) issues.add(path, `title must have at most ${titleMax} characters.`);
  else if (/\p{Cc}/u.test(title)) issues.add(path, 'title must be one line of plain text.');
}
