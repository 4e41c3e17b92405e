import { Injectable } from '@nestjs/common';
import type { Execution } from '#libs/contracts';
import { AppError, isErrorCode, type JsonObject, type JsonValue } from '#libs/kernel';
import type { RunQueryInput } from '../executions/execution-input.js';
import type { RequestContext } from '../request/request-context.js';
import { isFinal } from '../results/result-view.js';
import { ResultsService } from '../results/results.service.js';

export interface ParameterOption {
  readonly value: JsonValue;
  readonly title: string;
}

export interface OptionsAnswer {
  readonly options: readonly ParameterOption[];
  readonly isTruncated: boolean;
}

export interface OptionsQuestion {
  readonly queryId: string;
  /** Values that were chosen already; the query takes those that it declares. */
  readonly given: JsonObject;
  readonly timeZone?: string | null | undefined;
  /** Where the caller's input has the parameter. */
  readonly path: readonly string[];
}

/** Runs a query as any caller would, with their rights and the cache, and waits for its end. */
export type RunToEnd = (input: RunQueryInput) => Promise<Execution>;

/** As many values as a parameter may have. */
const rowsMax = 10_000;
const bytesMax = 8 * 1_024 * 1_024;
const waitSeconds = 30;

/** The answers of options queries: the first column is the value, the second, if there is one, its title. */
@Injectable()
export class OptionsQueries {
  constructor(private readonly results: ResultsService) {}

  /** @throws AppError at the path, for a query that is not there, fails or takes too long */
  async read(question: OptionsQuestion, context: RequestContext, run: RunToEnd): Promise<OptionsAnswer> {
    const { queryId: id, path, timeZone } = question;
    const query = await context.loaders.savedQueries.load(id);
    if (!query) throw new AppError('saved_query.not_found', 'The query of the options is not there.', { path });
    const declared = new Set(query.parameters.map(({ name }) => name));
    const parameters = Object.fromEntries(Object.entries(question.given).filter(([name]) => declared.has(name)));
    const execution = await run({
      query: { savedQuery: { id, parameters } },
      priority: 'INTERACTIVE',
      limits: { rows: rowsMax },
      timeZone: timeZone ?? null,
      waitSeconds,
    });
    assertAnswered(execution, path);
    const source = this.results.source(execution, context);
    const { rows, count } = await source.read(0, { rowsMax, bytesMax, columns: null });
    const { rowCount = count, truncated = false } = source.manifest ?? {};
    // Rows are JSON arrays with commas between.
    const values = JSON.parse(`[${rows.map(({ text }) => text).join(',')}]`) as JsonValue[][];
    return { options: values.flatMap(optionOf), isTruncated: truncated || count < rowCount };
  }
}

/** An option that has no title is shown as its value. */
export function titled({ value = null, title }: { value?: JsonValue; title?: string | undefined }): ParameterOption {
  return { value, title: title ?? (typeof value === 'string' ? value : JSON.stringify(value)) };
}

function optionOf([value = null, title = null]: JsonValue[]): ParameterOption[] {
  if (value === null) return [];
  return [titled({ value, title: title === null ? undefined : titled({ value: title }).title })];
}

function assertAnswered({ state, error }: Execution, path: readonly string[]): void {
  if (state === 'SUCCEEDED') return;
  if (!isFinal(state)) {
    throw new AppError('run.timed_out', 'The options did not come in time.', { path, retryable: true });
  }
  const code = error && isErrorCode(error.code) ? error.code : 'run.query_failed';
  const reason = error ? `: ${error.message}` : '.';
  throw new AppError(code, `The options could not be read${reason}`, { path, retryable: error?.retryable ?? true });
}
