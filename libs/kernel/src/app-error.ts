import type { ErrorCode } from './error-codes.js';
import type { JsonObject } from './json.js';

/** One fault of an input; `path` leads into the input from its root, such as `['query', 'sql', 'text']`. */
export interface Issue {
  code: ErrorCode;
  message: string;
  path: readonly string[];
}

export interface AppErrorOptions {
  path?: readonly string[] | undefined;
  /** True where the same call may succeed later. */
  retryable?: boolean | undefined;
  retryAfterSeconds?: number | undefined;
  /** For operators; never shown to a caller. */
  internalMessage?: string | undefined;
  /** For machines inside; never shown to a caller. */
  details?: JsonObject | undefined;
  /** Where one input has several faults, all of them. */
  issues?: readonly Issue[] | undefined;
  cause?: unknown;
}

/** The one error class that services throw and the bus carries. `publicMessage` is safe to show to whoever asked. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly path: readonly string[];
  readonly retryable: boolean;
  readonly retryAfterSeconds: number | undefined;
  readonly internalMessage: string | undefined;
  readonly details: JsonObject | undefined;
  readonly issues: readonly Issue[];

  constructor(
    readonly code: ErrorCode,
    readonly publicMessage: string,
    options: AppErrorOptions = {},
  ) {
    super(options.internalMessage ?? publicMessage, options.cause === undefined ? undefined : { cause: options.cause });
    this.path = options.path ?? [];
    this.retryable = options.retryable ?? false;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.internalMessage = options.internalMessage;
    this.details = options.details;
    this.issues = options.issues ?? [];
  }

  /** One error out of all faults of an input; `issues` must not be empty. */
  static ofIssues(issues: readonly [Issue, ...Issue[]]): AppError {
    const [first] = issues;
    return new AppError(first.code, first.message, { path: first.path, issues });
  }
}

/** What is not an AppError is a broken invariant: callers learn nothing of it, the log everything. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new AppError('internal', 'Something went wrong on our side.', { internalMessage: message, cause: error });
}
