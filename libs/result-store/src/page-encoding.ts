import { promisify } from 'node:util';
import { constants, zstdCompress, zstdCompressSync } from 'node:zlib';
import { AppError } from '#libs/kernel';
import { RowBatch } from './row-batch.js';

/**
 * A page of rows as bytes:
 *
 *   0      format, 1
 *   1..4   number of rows, uint32 little-endian
 *   5..8   bytes of text, uint32 little-endian
 *   9..    one zstd frame with content checksum: the byte length of each row as uint32 little-endian, then the text
 *
 * The text is each row's JSON array with commas between, so that any run of rows is one slice of it and nobody parses
 * a row only to send it on. The lengths come first in the frame because they are nearly equal and vanish in it.
 */
export const pageFormat = 1;
export const headerBytes = 9;
export const lengthBytes = 4;

/** The most text of one page: a reader never unpacks more than this, whatever a page's bytes claim. */
export const pageTextBytesMax = 64 * 1024 * 1024;

/** The most rows of one page, which bounds the index in front of the text. */
export const pageRowsMax = 4 * 1024 * 1024;

/** The most bytes of an encoded page that may travel inside a manifest. */
export const inlineBytesMax = 64 * 1024;

/** The most bytes that are packed at once: to a thread and back takes longer. */
export const packedAtOnceBytesMax = 32 * 1024;

/** What large pages are packed into at a time; by itself zlib would put pieces of 16 KiB together. */
const chunkBytes = 256 * 1024;

const compress = promisify(zstdCompress);

// Levels 1 to 3 pack rows of JSON equally small, to within 5 %; the first takes the worker's core the shortest.
const options = {
  params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 },
};

/**
 * Encodes rows, each the JSON text of one row's array.
 * @throws AppError result.too_large where they do not fit into one page
 */
export async function encodePage(rows: readonly string[]): Promise<Uint8Array> {
  return encodeBatches([RowBatch.of(rows)]);
}

/**
 * Encodes the rows of batches, one behind the other.
 * @throws AppError result.too_large where they do not fit into one page
 */
export async function encodeBatches(batches: readonly RowBatch[]): Promise<Uint8Array> {
  const rowCount = batches.reduce((sum, batch) => sum + batch.rowCount, 0);
  // The comma behind the last row of all is left out.
  const textBytes = Math.max(batches.reduce((sum, { text }) => sum + text.length, 0) - 1, 0);
  if (textBytes > pageTextBytesMax || rowCount > pageRowsMax) {
    throw new AppError('result.too_large', 'A page of the result is larger than can be stored.', {
      details: { rows: rowCount, textBytes, textBytesMax: pageTextBytesMax },
    });
  }
  // Not awaited here, where the batches would be kept while they are packed.
  return pack(contentOf(batches, rowCount, textBytes), rowCount, textBytes);
}

function contentOf(batches: readonly RowBatch[], rowCount: number, textBytes: number): Buffer {
  const content = Buffer.allocUnsafe(rowCount * lengthBytes + textBytes);
  let lengthAt = 0;
  let textAt = rowCount * lengthBytes;
  for (const { text, lengths } of batches) {
    for (const length of lengths) {
      content.writeUInt32LE(length, lengthAt);
      lengthAt += lengthBytes;
    }
    // What does not fit, the last comma, is not copied.
    textAt += text.copy(content, textAt);
  }
  return content;
}

async function pack(content: Buffer, rowCount: number, textBytes: number): Promise<Buffer> {
  const isSmall = content.length <= packedAtOnceBytesMax;
  const frame = isSmall
    ? zstdCompressSync(content, options)
    : await compress(content, { ...options, chunkSize: chunkBytes });
  const header = Buffer.allocUnsafe(headerBytes);
  header.writeUInt8(pageFormat, 0);
  header.writeUInt32LE(rowCount, 1);
  header.writeUInt32LE(textBytes, 5);
  return Buffer.concat([header, frame]);
}
