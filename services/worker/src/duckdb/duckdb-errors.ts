import { AppError } from '#libs/kernel';

/** DuckDB tells its kind of error in front of the text: `Binder Error: …`. */
const form = /^(?:Failed to [a-z ]+: )?([A-Z][A-Za-z ]{0,40}?) Error: ([^]*)$/;

/** Kinds that are about files and the engine, whose text may tell where things lie. */
const insideKinds: ReadonlySet<string> = new Set([
  'IO',
  'Permission',
  'Internal',
  'INTERNAL',
  'FATAL',
  'HTTP',
  'Connection',
]);

const outOfMemory = 'Out of Memory';

export interface DuckdbFailure {
  readonly kind: string;
  readonly message: string;
}

export function failureOf(error: unknown): DuckdbFailure {
  const text = error instanceof Error ? error.message : String(error);
  const [, kind, message] = form.exec(text) ?? [];
  return { kind: kind ?? 'Unknown', message: message ?? text };
}

/** An instance that has failed inside refuses everything from then on. */
export function isFatal(error: unknown): boolean {
  const { kind, message } = failureOf(error);
  return /^(internal|fatal)$/i.test(kind) || message.includes('database has been invalidated');
}

/** @param ahead characters in front of the caller's statement */
export function toDuckdbError(error: unknown, ahead = 0): AppError {
  if (error instanceof AppError) return error;
  const { kind, message } = failureOf(error);
  if (/^interrupt$/i.test(kind)) {
    return new AppError('run.timed_out', 'The statement was stopped at the data source.', { cause: error });
  }
  // The engine's text goes on about its own directories and settings.
  if (kind === outOfMemory) {
    return new AppError('run.query_failed', 'The statement needs more memory than the data source may use.', {
      internalMessage: message,
      details: { sourceCode: kind },
      cause: error,
    });
  }
  if (kind === 'Unknown' || insideKinds.has(kind)) return unavailable(error);
  return new AppError('run.query_failed', withPlace(message, ahead), { details: { sourceCode: kind }, cause: error });
}

/** `LINE 2: …from nowhere where…`, and below it a caret under the place, which is 7 and the number's length further in. */
const excerpt = /\s*^LINE (\d+): (\.\.\.)?[^\n]*\n( *)\^[^]*$/m;

/**
 * DuckDB's message with the place in words. It repeats a line of the statement, but whoever runs a saved query may be
 * somebody who may not read it. The column of a line that DuckDB has cut is not known.
 */
function withPlace(message: string, ahead: number): string {
  return message
    .replace(excerpt, (_all, line: string, cut: string | undefined, indent: string) => {
      const column = indent.length - `LINE ${line}: `.length + 1 - (line === '1' ? ahead : 0);
      return cut === undefined ? ` (line ${line}, column ${column})` : ` (line ${line})`;
    })
    .trim();
}

/** The source cannot be opened or read: a file that is missing, damaged or not what the options say. */
export function unavailable(error: unknown): AppError {
  return new AppError('source.unavailable', 'The files of the data source cannot be read.', {
    internalMessage: error instanceof Error ? error.message : String(error),
    cause: error,
  });
}
