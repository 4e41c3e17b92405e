import { pipeline, Readable } from 'node:stream';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import type { Request, Response } from 'express';
import type { AppError } from '#libs/kernel';

export type ContentCoding = 'zstd' | 'gzip' | 'identity';

/** A transfer that ended early, and by no fault of ours. */
export class TransferEnded extends Error {
  constructor(
    message: string,
    /** What is answered where nothing has been sent yet. */
    readonly refusal?: AppError,
  ) {
    super(message);
  }
}

interface TransferOptions {
  readonly coding: ContentCoding;
  /** Without a byte taken for so long, the client is given up. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
  readonly onSent: (bytes: number) => void;
}

/** The smallest file that the client takes, and none where it takes only what we do not have. */
export function codingFor(request: Request): ContentCoding | undefined {
  const coding = request.acceptsEncodings('zstd', 'gzip', 'identity');
  // Express answers with one of those that it was given.
  return coding === false ? undefined : (coding as ContentCoding);
}

/**
 * Writes a body into a response, no faster than the client takes it. When it does not come to its end, the connection
 * is broken, so that nobody takes a part for the whole.
 */
export async function transfer(
  request: Request,
  response: Response,
  body: AsyncGenerator<Uint8Array, void, undefined>,
  options: TransferOptions,
): Promise<void> {
  const source = encoded(body, options.coding);
  try {
    for await (const piece of source) {
      // What is read of a stream of bytes is bytes.
      const bytes = piece as Uint8Array;
      options.signal.throwIfAborted();
      options.onSent(bytes.byteLength);
      if (!response.write(bytes)) await taken(response, 'drain', options);
    }
    options.signal.throwIfAborted();
    response.end();
    if (!response.writableFinished) await taken(response, 'finish', options);
  } catch (error) {
    breakOff(request, response);
    throw error;
  } finally {
    source.destroy();
  }
}

/** Ends a transfer so that it is seen to be broken, also by a client of HTTP/1.0, to whom an end is the end of the file. */
function breakOff(request: Request, response: Response): void {
  if (request.httpVersion === '1.0') response.socket?.resetAndDestroy();
  response.destroy();
}

function encoded(body: AsyncGenerator<Uint8Array, void, undefined>, coding: ContentCoding): Readable {
  const plain = Readable.from(body, { objectMode: false });
  if (coding === 'identity') return plain;
  // A failure of the one ends the other, and comes out where it is read.
  return pipeline(plain, coding === 'gzip' ? createGzip({ level: 4 }) : createZstdCompress(zstd), () => undefined);
}

/** With the window that belongs to the level, 2 MiB, each download would take 1.5 MB more, and rows come out no smaller. */
const zstd = { params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_windowLog]: 19 } };

/** Resolves when the client has taken what was written. */
function taken(response: Response, event: 'drain' | 'finish', { idleMs, signal }: TransferOptions): Promise<void> {
  const { socket } = response;
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      // Behind the last byte the timer is the server's, for the next request.
      if (event === 'drain') socket?.setTimeout(0);
      socket?.off('timeout', onTimeout);
      response.off(event, onTaken).off('close', onGone);
      signal.removeEventListener('abort', onGone);
      settle();
    };
    const onTaken = (): void => end(resolve);
    const onTimeout = (): void => end(() => reject(new TransferEnded('the client takes nothing any more')));
    const onGone = (): void =>
      end(() => reject(signal.aborted ? reasonOf(signal) : new TransferEnded('the client has left')));
    response.once(event, onTaken).once('close', onGone);
    signal.addEventListener('abort', onGone);
    // The socket's own timer: what has been taken of a large piece counts as life.
    socket?.setTimeout(idleMs);
    socket?.once('timeout', onTimeout);
    if (signal.aborted || response.destroyed) onGone();
  });
}

function reasonOf({ reason }: AbortSignal): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
