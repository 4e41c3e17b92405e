import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MessageTap } from './message-tap.js';

function message(bytes: number, type = 'D'): Buffer {
  const header = Buffer.alloc(5);
  header.write(type);
  header.writeUInt32BE(bytes + 4, 1);
  return Buffer.concat([header, Buffer.alloc(bytes, bytes % 251)]);
}

/** A driver's connection: it listens to its socket, and may have its rows taken by somebody else. */
class Wire {
  readonly stream = new PassThrough();
  /** What the driver was given, and where rows were taken in between, in its order. */
  readonly seen: (Buffer | 'row')[] = [];
  readonly rows: Buffer[] = [];

  constructor(bytesMax: number, takesRows: boolean) {
    this.stream.on('data', (chunk: Buffer) => this.seen.push(Buffer.from(chunk)));
    const tap = new MessageTap(this.stream, bytesMax);
    if (!takesRows) return;
    tap.taker = {
      takeRow: (bytes, from, to) => {
        this.rows.push(Buffer.from(bytes.subarray(from, to)));
        this.seen.push('row');
      },
    };
  }

  /** Sends the bytes in pieces of these sizes, over and over; the answer is the error that ended the stream. */
  async send(bytes: Buffer, sizes: readonly number[]): Promise<Error | undefined> {
    const { stream } = this;
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

  get passed(): string {
    return this.seen.map((part) => (part === 'row' ? '|row|' : part.toString('hex'))).join('');
  }
}

const sizesOfPieces = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 });
const messages = fc.array(fc.tuple(fc.integer({ min: 0, max: 120 }), fc.constantFrom('D', 'T', 'C')), {
  minLength: 1,
  maxLength: 20,
});

describe('between the socket and the driver', () => {
  it('rows are taken whole, and all else reaches the driver as it came and in its order, however it is cut up', async () => {
    await fc.assert(
      fc.asyncProperty(messages, sizesOfPieces, async (sent, sizes) => {
        const wire = new Wire(1_000, true);
        await wire.send(Buffer.concat(sent.map(([bytes, type]) => message(bytes, type))), sizes);
        expect(wire.rows).toEqual(sent.filter(([, type]) => type === 'D').map(([bytes]) => message(bytes).subarray(5)));
        expect(wire.passed).toEqual(
          sent.map(([bytes, type]) => (type === 'D' ? '|row|' : message(bytes, type).toString('hex'))).join(''),
        );
      }),
    );
  });

  it('every byte reaches the driver where nobody takes the rows', async () => {
    await fc.assert(
      fc.asyncProperty(messages, sizesOfPieces, async (sent, sizes) => {
        const wire = new Wire(1_000, false);
        const bytes = Buffer.concat(sent.map(([size, type]) => message(size, type)));
        await wire.send(bytes, sizes);
        expect(wire.passed).toEqual(bytes.toString('hex'));
      }),
    );
  });

  it.each([true, false])(
    'a message up to the limit passes and a larger one ends the stream, however they are cut up (rows taken: %s)',
    async (takesRows) => {
      const property = fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 120 }), { minLength: 1, maxLength: 20 }),
        sizesOfPieces,
        async (lengths, sizes) => {
          const bytes = Buffer.concat(lengths.map((length) => message(length)));
          const error = await new Wire(100, takesRows).send(bytes, sizes);
          return (error !== undefined) === lengths.some((length) => length > 100);
        },
      );
      expect((await fc.check(property)).counterexample).toBeNull();
    },
  );

  it('a message that is too large is told so', async () => {
    expect(await new Wire(2 * 1024 * 1024, true).send(message(3 * 1024 * 1024), [65_536])).toMatchObject({
      code: 'result.too_large',
      publicMessage: 'One row of the result is larger than 2 MiB.',
    });
  });
});
