import type { Duplex } from 'node:stream';
import { AppError } from '#libs/kernel';

/** Type and length in front of every message of the server. */
const headerBytes = 5;

/**
 * Watches the messages that a server sends and ends the connection at the first that is larger than can be held:
 * the driver collects a message whole before anyone sees it, so that one row of a gigabyte would take two of memory.
 */
export function guardMessageSize(stream: Duplex, messageBytesMax: number): void {
  const header = Buffer.alloc(headerBytes);
  let headerFilled = 0;
  let bodyLeft = 0;

  const onData = (chunk: Buffer): void => {
    let at = 0;
    while (at < chunk.length) {
      if (bodyLeft > 0) {
        const taken = Math.min(bodyLeft, chunk.length - at);
        bodyLeft -= taken;
        at += taken;
        continue;
      }
      const taken = Math.min(headerBytes - headerFilled, chunk.length - at);
      chunk.copy(header, headerFilled, at, at + taken);
      headerFilled += taken;
      at += taken;
      if (headerFilled < headerBytes) return;
      headerFilled = 0;
      // The length counts itself, four bytes, but not the type.
      bodyLeft = header.readUInt32BE(1) - 4;
      if (bodyLeft > messageBytesMax) {
        stream.off('data', onData);
        stream.destroy(tooLarge(messageBytesMax));
        return;
      }
    }
  };
  stream.prependListener('data', onData);
}

function tooLarge(messageBytesMax: number): AppError {
  const megabytes = messageBytesMax / 1024 / 1024;
  return new AppError('result.too_large', `One row of the result is larger than ${megabytes} MiB.`);
}
