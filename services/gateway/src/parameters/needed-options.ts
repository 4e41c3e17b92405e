import { AppError } from '#libs/kernel';

export interface NeededOptions {
  readonly name: string;
  readonly queryId: string;
  /** Where the caller's input has the parameter. */
  readonly path: readonly string[];
}

/** The options queries that a question needs the answers of; undefined where it failed for another reason. */
export function neededOptions(error: unknown): NeededOptions[] | undefined {
  if (!(error instanceof AppError) || error.code !== 'parameter.options_needed') return undefined;
  return Object.entries(error.details ?? {}).flatMap(([name, queryId]) =>
    typeof queryId === 'string' ? [{ name, queryId, path: [...error.path, name] }] : [],
  );
}
