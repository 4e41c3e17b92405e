import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { guardMessageSize } from './message-guard.js';

function message(bytes: number): Buffer {
  const header = Buffer.alloc(5);
  header.write('D');
  header.writeUInt32BE(bytes + 4, 1);
  return Buffer.concat([header, Buffer.alloc(bytes)]);
}

/** Sends the bytes in pieces of these sizes, over and over; the answer is the error that ended the stream. */
async function send(bytes: Buffer, sizes: readonly number[], bytesMax: number): Promise<Error | undefined> {
  const stream = new PassThrough();
  guardMessageSize(stream, bytesMax);
  stream.resume();
  const ended = new Promise<Error | undefined>((resolve) => {
    stream.once('error', resolve);
    stream.once('end', () => resolve(undefined));
  });
  for (let at = 0, piece = 0; at < bytes.length && !stream.destroyed; piece += 1) {
    const size = sizes[piece % sizes.length] ?? 1;
    stream.write(bytes.subarray(at, at + size));
    at += size;
  }
  if (!stream.destroyed) stream.end();
  return ended;
}

describe('the guard of message sizes', () => {
  it('lets messages up to the limit pass and ends the stream at a larger one, however they are cut up', async () => {
    const property = fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 120 }), { minLength: 1, maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 }),
      async (lengths, sizes) => {
        const error = await send(Buffer.concat(lengths.map(message)), sizes, 100);
        return (error !== undefined) === lengths.some((length) => length > 100);
      },
    );
    expect((await fc.check(property)).counterexample).toBeNull();
  });

  it('tells what is too large', async () => {
    expect(await send(message(3 * 1024 * 1024), [65_536], 2 * 1024 * 1024)).toMatchObject({
      code: 'result.too_large',
      publicMessage: 'One row of the result is larger than 2 MiB.',
    });
  });
});
