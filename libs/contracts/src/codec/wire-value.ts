import {
  fromBinary,
  fromJson,
  ScalarType,
  toBinary,
  toJson,
  type DescEnum,
  type JsonObject,
  type JsonValue,
} from '@bufbuild/protobuf';
import { WireType, type BinaryReader, type BinaryWriter } from '@bufbuild/protobuf/wire';
import { StructSchema, ValueSchema } from '@bufbuild/protobuf/wkt';

/** How one kind of value stands on the wire. What is written has been typed by Domain; what is read is checked here. */
export interface WireValue {
  readonly wireType: WireType;
  /** What an absent field of implicit presence holds; undefined where absence has no value. */
  readonly zero: unknown;
  write(writer: BinaryWriter, value: unknown): void;
  read(reader: BinaryReader): unknown;
}

const uint31Max = 0x7fff_ffff;

/** The scalars that our messages use; another one needs a row. */
export const scalarValues: Readonly<Partial<Record<ScalarType, WireValue>>> = {
  [ScalarType.STRING]: {
    wireType: WireType.LengthDelimited,
    zero: '',
    write: (writer, value) => writer.string(value as string),
    read: (reader) => reader.string(),
  },
  [ScalarType.BYTES]: {
    wireType: WireType.LengthDelimited,
    zero: new Uint8Array(),
    write: (writer, value) => writer.bytes(value as Uint8Array),
    read: (reader) => reader.bytes(),
  },
  [ScalarType.BOOL]: {
    wireType: WireType.Varint,
    zero: false,
    write: (writer, value) => writer.bool(value as boolean),
    read: (reader) => reader.bool(),
  },
  [ScalarType.INT32]: {
    wireType: WireType.Varint,
    zero: 0,
    write: (writer, value) => writer.int32(value as number),
    read: (reader) => reader.int32(),
  },
  [ScalarType.UINT32]: {
    wireType: WireType.Varint,
    zero: 0,
    write: (writer, value) => writer.uint32(value as number),
    read: (reader) => reader.uint32(),
  },
  [ScalarType.INT64]: {
    wireType: WireType.Varint,
    zero: 0,
    write: writeInt64,
    read: readInt64,
  },
  [ScalarType.DOUBLE]: {
    wireType: WireType.Bit64,
    zero: 0,
    write: (writer, value) => writer.double(value as number),
    read: (reader) => reader.double(),
  },
};

function writeInt64(writer: BinaryWriter, value: unknown): void {
  const number = value as number;
  // A small one has the same bytes as a uint32, which is written without a bigint.
  if (number >= 0 && number <= uint31Max) writer.uint32(number);
  else writer.int64(BigInt(number));
}

function readInt64(reader: BinaryReader): number {
  const number = Number(reader.int64());
  if (!Number.isSafeInteger(number)) throw new RangeError(`${number} is beyond 2^53 - 1`);
  return number;
}

// Two numbers of our own reading: to have a Timestamp made takes as long as all else of a small message.
const secondsField = 1;
const nanosField = 2;

function writeTimestamp(writer: BinaryWriter, value: unknown): void {
  const ms = (value as Date).getTime();
  const seconds = Math.floor(ms / 1_000);
  const nanos = (ms - seconds * 1_000) * 1_000_000;
  writer.fork();
  if (seconds !== 0) writeInt64(writer.tag(secondsField, WireType.Varint), seconds);
  if (nanos !== 0) writer.tag(nanosField, WireType.Varint).int32(nanos);
  writer.join();
}

function readTimestamp(reader: BinaryReader): Date {
  let seconds = 0;
  let nanos = 0;
  const end = reader.uint32() + reader.pos;
  while (reader.pos < end) {
    const [field, wireType] = reader.tag();
    if (field === secondsField) seconds = readInt64(reader);
    else if (field === nanosField) nanos = reader.int32();
    else reader.skip(wireType, field);
  }
  if (reader.pos !== end) throw new RangeError('a field of google.protobuf.Timestamp goes beyond its message');
  return new Date(seconds * 1_000 + Math.floor(nanos / 1_000_000));
}

/** An enum's member by name. The zero member and members of a newer release have no name here and are refused. */
export function enumValue(schema: DescEnum): WireValue {
  const named = schema.values.filter((value) => value.number !== 0);
  const numbers = new Map<unknown, number>(named.map((value) => [value.localName, value.number]));
  const names = new Map(named.map((value) => [value.number, value.localName]));
  const refuse = (value: unknown): never => {
    throw new RangeError(`${String(value)} is not in ${schema.typeName}`);
  };
  return {
    wireType: WireType.Varint,
    zero: undefined,
    write: (writer, value) => writer.int32(numbers.get(value) ?? refuse(value)),
    read: (reader) => {
      const number = reader.int32();
      return names.get(number) ?? refuse(number);
    },
  };
}

/** Messages that have a plain value of their own in the domain: Date and JSON. */
export const wellKnownValues: Readonly<Record<string, WireValue>> = {
  'google.protobuf.Timestamp': {
    wireType: WireType.LengthDelimited,
    zero: undefined,
    write: writeTimestamp,
    read: readTimestamp,
  },
  'google.protobuf.Struct': {
    wireType: WireType.LengthDelimited,
    zero: undefined,
    write: (writer, value) => writer.bytes(toBinary(StructSchema, fromJson(StructSchema, value as JsonObject))),
    read: (reader) => toJson(StructSchema, fromBinary(StructSchema, reader.bytes())),
  },
  'google.protobuf.Value': {
    wireType: WireType.LengthDelimited,
    zero: undefined,
    write: (writer, value) => writer.bytes(toBinary(ValueSchema, fromJson(ValueSchema, value as JsonValue))),
    read: (reader) => toJson(ValueSchema, fromBinary(ValueSchema, reader.bytes())),
  },
};
