import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { AppError } from '#libs/kernel';
import { compileMessage } from './compile-message.js';
import type { Domain } from './domain.js';

/** Between a domain value and its bytes. Decoding throws AppError `bus.malformed` for what is not such a message. */
export interface MessageCodec<T> {
  readonly typeName: string;
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

/**
 * The codec of a generated message, compiled once from its descriptor: the bytes are protobuf's, the values are Domain's, and
 * no generated message is made in between, which would cost more than the rest of a request's way through a process.
 */
export function messageCodec<Desc extends DescMessage>(schema: Desc): MessageCodec<Domain<MessageShape<Desc>>> {
  const plan = compileMessage(schema);
  return {
    typeName: schema.typeName,
    encode(value) {
      // Domain is the type-level twin of what the plan writes.
      return encodeWith((writer) => plan.write(writer, value as Record<string, unknown>));
    },
    decode(bytes) {
      try {
        // Likewise of what it reads.
        return plan.read(new BinaryReader(bytes), bytes.length) as Domain<MessageShape<Desc>>;
      } catch (cause) {
        throw new AppError('bus.malformed', 'Something went wrong on our side.', {
          internalMessage: `not a ${schema.typeName}: ${cause instanceof Error ? cause.message : String(cause)}`,
          cause,
        });
      }
    },
  };
}

// Encoding never awaits, so one writer serves all; its buffer is kept, unless it has grown for one large message.
let shared = new BinaryWriter();
const keptBytesMax = 256 * 1024;

function encodeWith(write: (writer: BinaryWriter) => void): Uint8Array {
  const writer = shared;
  shared = new BinaryWriter();
  write(writer);
  const bytes = writer.finish();
  if (bytes.length <= keptBytesMax) shared = writer;
  return bytes;
}
