import { promisify } from 'node:util';
import { zstdDecompress, zstdDecompressSync } from 'node:zlib';
import { AppError } from '#libs/kernel';
import {
  headerBytes,
  lengthBytes,
  packedAtOnceBytesMax,
  pageFormat,
  pageRowsMax,
  pageTextBytesMax,
} from './page-encoding.js';
import { RowPicker } from './row-picker.js';

const decompress = promisify(zstdDecompress);

/** What is unpacked into one piece of memory: a page of the usual size. */
const chunkBytesMax = 2 * 1024 * 1024;

/** The rows of one page, still as text. */
export interface DecodedPage {
  readonly rowCount: number;
  /** Bytes that the page holds in memory. */
  readonly byteCount: number;
  /** The rows from `from` up to but not including `to`, as JSON texts with commas between; empty where there are none. */
  slice(from: number, to: number): string;
  /** As slice, as the bytes of the page itself, which are not to be changed. */
  bytes(from: number, to: number): Buffer;
  /** The same rows with only these columns, in this order; @throws AppError result.corrupt where a row has not so many. */
  pick(from: number, to: number, indexes: readonly number[]): Buffer;
  /** The JSON text of one row. */
  row(index: number): string;
  /** The memory in which the texts of the rows lie, not to be changed. */
  readonly content: Buffer;
  /** The place of a row's first byte in it. */
  beginOf(row: number): number;
  /** The place behind a row's last byte. */
  endOf(row: number): number;
  /** How many rows from `from` on, at most up to `to`, have no more than `bytesMax` bytes together; at least one. */
  countWithin(from: number, to: number, bytesMax: number): { count: number; bytes: number };
  /**
   * Gives its memory back now, for whoever alone has the page: the collector sees little of what lies outside its heap, and
   * lets some thirty pages of a result that is read once wait for it. Nothing can be read of it any more.
   */
  release(): void;
}

/**
 * Opens an encoded page. Sizes are checked before anything is unpacked, so that a small object cannot fill the memory.
 * @throws AppError result.corrupt for what encodePage did not make
 */
export async function decodePage(bytes: Uint8Array): Promise<DecodedPage> {
  const { rowCount, textBytes, frame } = readHeader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const size = rowCount * lengthBytes + textBytes;
  const content = await unpack(frame, size);
  if (content.length !== size) throw corrupt(`it holds ${content.length} bytes, not ${size}`);
  return new TextPage(content, rowCount, readStarts(content, rowCount, textBytes));
}

function readHeader(bytes: Buffer): { rowCount: number; textBytes: number; frame: Buffer } {
  if (bytes.length < headerBytes) throw corrupt('it is shorter than its header');
  const format = bytes.readUInt8(0);
  if (format !== pageFormat) throw corrupt(`format ${format} is unknown`);
  const rowCount = bytes.readUInt32LE(1);
  const textBytes = bytes.readUInt32LE(5);
  if (rowCount > pageRowsMax || textBytes > pageTextBytesMax)
    throw corrupt('it claims to be larger than a page may be');
  return { rowCount, textBytes, frame: bytes.subarray(headerBytes) };
}

async function unpack(frame: Buffer, size: number): Promise<Buffer> {
  try {
    // zlib wants a limit of at least 1; the length is compared afterwards anyway. By itself it would put pieces of 16 KiB together.
    const limit = { maxOutputLength: Math.max(size, 1), chunkSize: Math.min(Math.max(size + 1, 64), chunkBytesMax) };
    return size <= packedAtOnceBytesMax ? zstdDecompressSync(frame, limit) : await decompress(frame, limit);
  } catch (cause) {
    throw corrupt(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** Where each row begins in the content; one more entry says where a row behind the last would begin. */
function readStarts(content: Buffer, rowCount: number, textBytes: number): Uint32Array {
  const starts = new Uint32Array(rowCount + 1);
  let start = rowCount * lengthBytes;
  for (let index = 0; index < rowCount; index++) {
    starts[index] = start;
    start += content.readUInt32LE(index * lengthBytes) + 1;
  }
  starts[rowCount] = start;
  const separators = Math.max(rowCount - 1, 0);
  const end = rowCount * lengthBytes + textBytes;
  if (start - rowCount + separators !== end) throw corrupt('its rows do not fill it');
  return starts;
}

class TextPage implements DecodedPage {
  readonly byteCount: number;

  constructor(
    readonly content: Buffer,
    readonly rowCount: number,
    private readonly starts: Uint32Array,
  ) {
    this.byteCount = content.length + starts.byteLength;
  }

  slice(from: number, to: number): string {
    const first = Math.max(from, 0);
    const end = Math.min(to, this.rowCount);
    // Not of a view: one for each of millions of rows is more for the collector than their texts.
    return first >= end ? '' : this.content.toString('utf8', this.beginOf(first), this.endOf(end - 1));
  }

  bytes(from: number, to: number): Buffer {
    const first = Math.max(from, 0);
    const end = Math.min(to, this.rowCount);
    return first >= end ? this.content.subarray(0, 0) : this.content.subarray(this.beginOf(first), this.endOf(end - 1));
  }

  pick(from: number, to: number, indexes: readonly number[]): Buffer {
    const end = Math.min(to, this.rowCount);
    const picker = new RowPicker(indexes, (this.beginOf(end) - this.beginOf(from)) / 4);
    for (let row = from; row < end; row++) picker.add(this.content, this.beginOf(row), this.endOf(row));
    return picker.picked;
  }

  row(index: number): string {
    if (!Number.isInteger(index) || index < 0 || index >= this.rowCount) {
      throw new RangeError(`row ${index} of a page of ${this.rowCount}`);
    }
    return this.slice(index, index + 1);
  }

  /** Also of the row behind the last. */
  beginOf(row: number): number {
    const start = this.starts[row];
    if (start === undefined) throw new RangeError(`row ${row} of a page of ${this.rowCount}`);
    return start;
  }

  endOf(row: number): number {
    // Every row is followed by one comma.
    return this.beginOf(row + 1) - 1;
  }

  countWithin(from: number, to: number, bytesMax: number): { count: number; bytes: number } {
    const last = Math.min(to, this.rowCount);
    if (from >= last) return { count: 0, bytes: 0 };
    const bytesUpTo = (end: number): number => this.beginOf(end) - this.beginOf(from);
    let fits = from + 1;
    let tooMany = last + 1;
    while (tooMany - fits > 1) {
      const middle = (fits + tooMany) >>> 1;
      if (bytesUpTo(middle) <= bytesMax) fits = middle;
      else tooMany = middle;
    }
    return { count: fits - from, bytes: bytesUpTo(fits) };
  }

  release(): void {
    for (const { buffer, byteLength } of [this.content, this.starts]) {
      // A small one may lie in memory that it shares with others.
      if (buffer instanceof ArrayBuffer && buffer.byteLength <= byteLength + 1) buffer.transfer(0);
    }
  }
}

function corrupt(reason: string, cause?: unknown): AppError {
  return new AppError('result.corrupt', 'A part of the result cannot be read.', {
    internalMessage: `a page is damaged: ${reason}`,
    cause,
  });
}
