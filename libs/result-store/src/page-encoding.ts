import { promisify } from 'node:util';
import { constants, zstdCompress, zstdCompressSync } from 'node:zlib';
import { AppError } from '#libs/kernel';

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
  const text = rows.join(',');
  const textBytes = Buffer.byteLength(text);
  if (textBytes > pageTextBytesMax || rows.length > pageRowsMax) {
    throw new AppError('result.too_large', 'A page of the result is larger than can be stored.', {
      details: { rows: rows.length, textBytes, textBytesMax: pageTextBytesMax },
    });
  }
  const content = Buffer.allocUnsafe(rows.length * lengthBytes + textBytes);
  writeLengths(content, rows, textBytes === text.length);
  content.write(text, rows.length * lengthBytes);
  const frame =
    content.length <= packedAtOnceBytesMax ? zstdCompressSync(content, options) : await compress(content, options);
  const header = Buffer.allocUnsafe(headerBytes);
  header.writeUInt8(pageFormat, 0);
  header.writeUInt32LE(rows.length, 1);
  header.writeUInt32LE(textBytes, 5);
  return Buffer.concat([header, frame]);
}

/** Where the whole text has as many bytes as characters it is ASCII, and no row needs to be measured again. */
function writeLengths(content: Buffer, rows: readonly string[], isAscii: boolean): void {
  let at = 0;
  for (const row of rows) {
    content.writeUInt32LE(isAscii ? row.length : Buffer.byteLength(row), at);
    at += lengthBytes;
  }
}
