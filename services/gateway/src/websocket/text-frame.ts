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
  const length = headBytes + body.length + tail.length;
  if (body.length <= copiedBytesMax) {
    const beginBytes = beginBytesOf(length);
    const frame = Buffer.allocUnsafe(beginBytes + length);
    writeBegin(frame, length);
    const bodyAt = beginBytes + frame.write(head, beginBytes);
    body.copy(frame, bodyAt);
    frame.write(tail, bodyAt + body.length, 'latin1');
    socket.write(frame);
    return;
  }
  socket.cork();
  const beginBytes = beginBytesOf(length);
  const begin = Buffer.allocUnsafe(beginBytes + headBytes);
  writeBegin(begin, length);
  begin.write(head, beginBytes);
  socket.write(begin);
  socket.write(body);
  socket.write(tail, 'latin1');
  socket.uncork();
}

/** How much is in front of a message of so many bytes. */
function beginBytesOf(length: number): number {
  if (length < length16) return 2;
  return length < 2 ** 16 ? 4 : 10;
}

/** What is in front of it. */
function writeBegin(frame: Buffer, length: number): void {
  frame[0] = finalText;
  if (length < length16) frame[1] = length;
  else if (length < 2 ** 16) {
    frame[1] = length16;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = length64;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
}
