import type { Socket } from 'node:net';

/** Below this it is quicker to copy a body than to write it beside its head; above it is shared by all who are sent it. */
const copiedBytesMax = 4_096;
const finalText = 0x81;
const length16 = 126;
const length64 = 127;

/**
 * Writes a whole text message (RFC 6455, 5.2) of which all but the head is shared. ws would encode and frame the body
 * again for each socket. To be called between two messages of ws only, which writes each of its own in one go.
 */
export function writeTextFrame(socket: Socket, head: string, body: Buffer, tail: string): void {
  const headBytes = Buffer.byteLength(head);
  const begin = beginOf(headBytes + body.length + tail.length);
  if (body.length <= copiedBytesMax) {
    const frame = Buffer.allocUnsafe(begin.length + headBytes + body.length + tail.length);
    const bodyAt = begin.copy(frame) + frame.write(head, begin.length);
    body.copy(frame, bodyAt);
    frame.write(tail, bodyAt + body.length, 'latin1');
    socket.write(frame);
    return;
  }
  socket.cork();
  socket.write(Buffer.concat([begin, Buffer.from(head)]));
  socket.write(body);
  socket.write(tail, 'latin1');
  socket.uncork();
}

/** What is in front of a message of so many bytes. */
function beginOf(length: number): Buffer {
  if (length < length16) return Buffer.from([finalText, length]);
  if (length < 2 ** 16) return Buffer.from([finalText, length16, length >> 8, length & 0xff]);
  const begin = Buffer.alloc(10);
  begin[0] = finalText;
  begin[1] = length64;
  begin.writeBigUInt64BE(BigInt(length), 2);
  return begin;
}
