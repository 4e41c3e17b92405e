import type { Socket } from 'node:net';

/** What the other end of a connection takes of what was written to it. */
export class Uptake {
  private written = 0;
  private queued = 0;

  constructor(private readonly connection: Socket) {}

  /** Bytes that it has taken since this was asked last, as far as can be known. */
  sinceLast(): number {
    const written = this.connection.bytesWritten - this.connection.writableLength;
    const queued = queuedBytesOf(this.connection);
    // Of one write that is under way, such as a long row, only what is left of it tells that some has been taken.
    const taken = Math.max(written - this.written, this.queued - queued);
    this.written = written;
    this.queued = queued;
    return taken;
  }
}

/**
 * What the kernel has yet to take. Node counts a write when all of it has gone, and keeps this to itself, although its
 * own time-outs of sockets go by it.
 */
function queuedBytesOf(
  connection: Socket & { readonly _handle?: { readonly writeQueueSize?: number } | null },
): number {
  return connection._handle?.writeQueueSize ?? 0;
}
