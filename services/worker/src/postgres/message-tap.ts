import type { Duplex } from 'node:stream';
import { AppError } from '#libs/kernel';

/** Type and length in front of every message of the server; the length counts itself, but not the type. */
const headerBytes = 5;
const typeBytes = 1;
const dataRow = 0x44;

/** Takes rows as they lie on the wire: the body of a DataRow message, from its count of fields on. */
export interface RowTaker {
  takeRow(bytes: Buffer, from: number, to: number): void;
}

/**
 * Stands between the socket and the driver. Rows go past the driver while somebody takes them, as bytes; every other message
 * reaches it as it came and in its order. The driver collects a message whole before anyone sees it and makes a string of every value.
 *
 * A message that is larger than can be held ends the connection before it is collected: one row of a gigabyte would take two
 * of memory.
 */
export class MessageTap {
  /** Who takes the rows now; the driver where nobody does. */
  taker: RowTaker | undefined;
  private readonly driver: readonly ((chunk: Buffer) => void)[];
  private readonly header = Buffer.alloc(headerBytes);
  private headerFilled = 0;
  /** A row that came in several pieces, as far as it has come. */
  private row: Buffer | undefined;
  private rowFilled = 0;
  /** What is still to come of a message that goes to the driver. */
  private passing = 0;

  constructor(
    private readonly stream: Duplex,
    private readonly messageBytesMax: number,
  ) {
    // The driver's connection listens to its socket for nothing but messages.
    this.driver = stream.listeners('data') as ((chunk: Buffer) => void)[];
    stream.on('data', (chunk: Buffer) => this.take(chunk));
    for (const listener of this.driver) stream.off('data', listener);
  }

  private take(chunk: Buffer): void {
    try {
      let at = 0;
      while (at < chunk.length && !this.stream.destroyed) at = this.step(chunk, at);
    } catch (error) {
      this.stream.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** What begins at `at`: the rest of something, or messages. The answer is where it ends. */
  private step(chunk: Buffer, at: number): number {
    if (this.row) return this.fillRow(this.row, chunk, at);
    if (this.passing > 0) return this.pass(chunk, at);
    if (this.headerFilled > 0) return this.fillHeader(chunk, at);
    return this.takeMessages(chunk, at);
  }

  private takeMessages(chunk: Buffer, from: number): number {
    let at = from;
    while (at + headerBytes <= chunk.length) {
      const isRow = chunk[at] === dataRow && this.taker !== undefined;
      const size = this.sizeOf(chunk, at);
      const end = at + typeBytes + size;
      if (!isRow) {
        this.passing = typeBytes + size;
        return this.pass(chunk, at);
      }
      if (end > chunk.length) {
        this.beginRow(size);
        return at + headerBytes;
      }
      this.taker?.takeRow(chunk, at + headerBytes, end);
      at = end;
    }
    return at < chunk.length ? this.fillHeader(chunk, at) : at;
  }

  /** A header that two pieces share. */
  private fillHeader(chunk: Buffer, at: number): number {
    const taken = chunk.copy(this.header, this.headerFilled, at, at + headerBytes - this.headerFilled);
    this.headerFilled += taken;
    if (this.headerFilled < headerBytes) return at + taken;
    this.headerFilled = 0;
    const size = this.sizeOf(this.header, 0);
    if (this.header[0] === dataRow && this.taker) {
      this.beginRow(size);
      if (this.row?.length === 0) this.fillRow(this.row, chunk, at + taken);
    } else {
      this.passing = typeBytes + size;
      // The driver may keep what it is given.
      this.pass(Buffer.from(this.header), 0);
    }
    return at + taken;
  }

  private beginRow(size: number): void {
    this.row = Buffer.allocUnsafe(size + typeBytes - headerBytes);
    this.rowFilled = 0;
  }

  private fillRow(row: Buffer, chunk: Buffer, at: number): number {
    const taken = chunk.copy(row, this.rowFilled, at);
    this.rowFilled += taken;
    if (this.rowFilled === row.length) {
      this.row = undefined;
      this.taker?.takeRow(row, 0, row.length);
    }
    return at + taken;
  }

  /** Gives the driver what of its message is in the chunk. */
  private pass(chunk: Buffer, from: number): number {
    const end = Math.min(chunk.length, from + this.passing);
    this.passing -= end - from;
    for (const listener of this.driver) listener.call(this.stream, chunk.subarray(from, end));
    return end;
  }

  private sizeOf(bytes: Buffer, at: number): number {
    const size = bytes.readUInt32BE(at + typeBytes);
    if (size - 4 > this.messageBytesMax) throw tooLarge(this.messageBytesMax);
    if (size < headerBytes - typeBytes) throw new Error('the server sent a message of no length');
    return size;
  }
}

function tooLarge(messageBytesMax: number): AppError {
  const megabytes = messageBytesMax / 1024 / 1024;
  return new AppError('result.too_large', `One row of the result is larger than ${megabytes} MiB.`);
}
