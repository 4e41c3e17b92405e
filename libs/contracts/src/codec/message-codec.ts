import {
  create,
  fromBinary,
  ScalarType,
  toBinary,
  type DescEnum,
  type DescField,
  type DescMessage,
  type DescOneof,
  type Message,
  type MessageShape,
} from '@bufbuild/protobuf';
import { timestampDate, timestampFromDate, type Timestamp } from '@bufbuild/protobuf/wkt';
import { AppError } from '#libs/kernel';
import type { Domain } from './domain.js';

/** Between a domain value and its bytes. Decoding throws AppError `bus.malformed` for what is not such a message. */
export interface MessageCodec<T> {
  readonly typeName: string;
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

/** Converts one value in one direction. Values are checked where the types cannot vouch for them. */
type Convert = (value: unknown) => unknown;
interface Converter {
  toWire: Convert;
  toDomain: Convert;
}
type Plain = Record<string, unknown>;

/** The codec of a generated message, made once from its descriptor. */
export function messageCodec<Desc extends DescMessage>(schema: Desc): MessageCodec<Domain<MessageShape<Desc>>> {
  const converter = messageConverter(schema);
  return {
    typeName: schema.typeName,
    encode(value) {
      // The converter makes exactly the shape that its descriptor describes.
      return toBinary(schema, converter.toWire(value) as MessageShape<Desc>);
    },
    decode(bytes) {
      try {
        // Likewise: Domain is the type-level twin of toDomain.
        return converter.toDomain(fromBinary(schema, bytes)) as Domain<MessageShape<Desc>>;
      } catch (cause) {
        throw new AppError('bus.malformed', 'Something went wrong on our side.', {
          internalMessage: `not a ${schema.typeName}: ${cause instanceof Error ? cause.message : String(cause)}`,
          cause,
        });
      }
    },
  };
}

const identity: Converter = { toWire: (value) => value, toDomain: (value) => value };

const timestamp: Converter = {
  toWire: (value) => timestampFromDate(value as Date),
  toDomain: (value) => timestampDate(value as Timestamp),
};

const int64: Converter = {
  toWire: (value) => BigInt(value as number),
  toDomain: (value) => {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new RangeError(`${String(value)} is beyond 2^53 - 1`);
    return number;
  },
};

const wideIntegers: readonly ScalarType[] = [
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
];

const converters = new Map<string, Converter>();

function messageConverter(schema: DescMessage): Converter {
  if (schema.typeName === 'google.protobuf.Timestamp') return timestamp;
  if (schema.typeName === 'google.protobuf.Struct') return identity;
  const known = converters.get(schema.typeName);
  if (known) return known;
  // Registered before its members are known, so that a message may hold itself.
  const members: { name: string; converter: Converter }[] = [];
  const converter: Converter = {
    toWire(value) {
      const wire = create(schema) as Message & Plain;
      for (const { name, converter: member } of members) {
        const field = (value as Plain)[name];
        if (field !== undefined) wire[name] = member.toWire(field);
      }
      return wire;
    },
    toDomain(value) {
      const domain: Plain = {};
      for (const { name, converter: member } of members) {
        const field = (value as Plain)[name];
        if (field !== undefined) domain[name] = member.toDomain(field);
      }
      return domain;
    },
  };
  converters.set(schema.typeName, converter);
  for (const member of schema.members) {
    members.push({
      name: member.localName,
      converter: member.kind === 'oneof' ? oneofConverter(member) : fieldConverter(member),
    });
  }
  return converter;
}

function fieldConverter(field: DescField): Converter {
  switch (field.fieldKind) {
    case 'message':
      return messageConverter(field.message);
    case 'enum':
      return enumConverter(field.enum);
    case 'scalar':
      return wideIntegers.includes(field.scalar) ? int64 : identity;
    case 'list': {
      if (field.listKind === 'message') return eachOf(messageConverter(field.message));
      if (field.listKind === 'enum') return eachOf(enumConverter(field.enum));
      return wideIntegers.includes(field.scalar) ? eachOf(int64) : identity;
    }
    case 'map':
      if (field.mapKind !== 'scalar') throw new Error(`${String(field)}: maps hold scalars only`);
      return wideIntegers.includes(field.scalar) ? valuesOf(int64) : identity;
  }
}

function eachOf(item: Converter): Converter {
  return {
    toWire: (value) => (value as unknown[]).map(item.toWire),
    toDomain: (value) => (value as unknown[]).map(item.toDomain),
  };
}

function valuesOf(item: Converter): Converter {
  const map = (value: unknown, convert: Convert): Plain =>
    Object.fromEntries(Object.entries(value as Plain).map(([key, each]) => [key, convert(each)]));
  return { toWire: (value) => map(value, item.toWire), toDomain: (value) => map(value, item.toDomain) };
}

function oneofConverter(oneof: DescOneof): Converter {
  const cases = new Map(oneof.fields.map((field) => [field.localName, fieldConverter(field)]));
  const convert = (value: unknown, direction: keyof Converter): unknown => {
    const chosen = value as { case?: string; value?: unknown };
    const member = chosen.case === undefined ? undefined : cases.get(chosen.case);
    if (!member) return { case: undefined };
    return { case: chosen.case, value: member[direction](chosen.value) };
  };
  return { toWire: (value) => convert(value, 'toWire'), toDomain: (value) => convert(value, 'toDomain') };
}

/** An enum's member by name. The zero member and members of a newer release have no name here and are refused. */
function enumConverter(schema: DescEnum): Converter {
  const named = schema.values.filter((value) => value.number !== 0);
  const numbers = new Map(named.map((value) => [value.localName, value.number]));
  const names = new Map(named.map((value) => [value.number, value.localName]));
  return {
    toWire(value) {
      const number = numbers.get(value as string);
      if (number === undefined) throw new RangeError(`${String(value)} is not in ${schema.typeName}`);
      return number;
    },
    toDomain(value) {
      const name = names.get(value as number);
      if (name === undefined) throw new RangeError(`${String(value)} is not in ${schema.typeName}`);
      return name;
    },
  };
}
