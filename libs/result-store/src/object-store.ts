import { AppError } from '#libs/kernel';

/** A run that has anything in the store. */
export interface StoredRun {
  readonly workspaceId: string;
  readonly runId: string;
  /** When it last gained a page, or a try of it was deleted. */
  readonly changedAt: Date;
}

/**
 * Objects under keys such as `<workspace>/<run>/<fence>/<page>`. An object is written once, whole, and lasts from then on.
 * Whatever goes wrong is `result.store_unavailable`.
 */
export interface ObjectStore {
  /** What operators know it by. */
  readonly name: string;

  /** False where the key is taken, by whatever bytes; then nothing was changed. */
  create(key: string, bytes: Uint8Array): Promise<boolean>;

  /** Undefined where there is no such object. */
  read(key: string): Promise<Uint8Array | undefined>;

  /** The names directly below a key that have something below them, in no order. */
  namesBelow(key: string): AsyncIterable<string>;

  /** Deletes all that lies below a key. One that is broken off is finished by the next. */
  removeBelow(key: string): Promise<void>;

  /** Every run that has anything here, in no order, and never all of them in memory. What is not ours is passed over. */
  listRuns(): AsyncIterable<StoredRun>;

  /** Frees what is held; a closed store is not used again. */
  close(): Promise<void>;
}

/** The most bytes of a stored object: whatever lies at a page's place, no reader takes more than this into memory. */
export const objectBytesMax = 96 * 1024 * 1024;

export function storeUnavailable(what: string, cause: unknown): AppError {
  return new AppError('result.store_unavailable', 'The result store cannot be used at the moment.', {
    internalMessage: `${what}: ${cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)}`,
    retryable: true,
    cause,
  });
}

/** What the store has no room for: it passes when an operator has made some. */
export function storeFull(what: string, cause: unknown): AppError {
  return new AppError('result.store_full', 'The result store is full.', {
    internalMessage: `${what}: ${String(cause)}`,
    retryable: true,
    cause,
  });
}

export function corrupt(reason: string, cause?: unknown): AppError {
  return new AppError('result.corrupt', 'A part of the result cannot be read.', { internalMessage: reason, cause });
}
