import {
  DuckDBListValue,
  DuckDBStructValue,
  DuckDBVariantValue,
  type DuckDBMapType,
  type DuckDBMapValue,
  type DuckDBStructType,
  type DuckDBType,
  type DuckDBUnionType,
  type DuckDBUnionValue,
  type DuckDBValue,
} from '@duckdb/node-api';
import { placeOfEntry } from './entries-by-place.js';

type Encode = (value: DuckDBValue) => string;
type EncoderOf = (type: DuckDBType) => Encode;

/** An object with the entries' names, in their order. An entry without a name, as row(1, 2) makes them, has its place. */
export function encoderOfStruct(type: DuckDBStructType, encoderOf: EncoderOf): (value: DuckDBStructValue) => string {
  const entries = type.entryNames.map((name, index) => {
    const entryType = type.entryTypes[index];
    return {
      place: placeOfEntry(index),
      key: JSON.stringify(name === '' ? String(index + 1) : name),
      encode: entryType ? encoderOf(entryType) : () => 'null',
    };
  });
  return (value) =>
    `{${entries.map(({ place, key, encode }) => `${key}:${encode(value.entries[place] ?? null)}`).join(',')}}`;
}

/** An object whose names are the keys' text: what JSON would show of a key, without its quotation marks. */
export function encoderOfMap(type: DuckDBMapType, encoderOf: EncoderOf): (value: DuckDBMapValue) => string {
  const encodeKey = encoderOf(type.keyType);
  const encodeValue = encoderOf(type.valueType);
  const nameOf = (key: DuckDBValue): string => {
    const token = encodeKey(key);
    return token.startsWith('"') ? token : JSON.stringify(token);
  };
  return ({ entries }) => `{${entries.map(({ key, value }) => `${nameOf(key)}:${encodeValue(value)}`).join(',')}}`;
}

/** The value that is there, as its own type comes out. */
export function encoderOfUnion(type: DuckDBUnionType, encoderOf: EncoderOf): (value: DuckDBUnionValue) => string {
  const encoders = new Map(type.memberTags.map((tag) => [tag, encoderOf(type.memberTypeForTag(tag))]));
  return ({ tag, value }) => encoders.get(tag)?.(value) ?? 'null';
}

/** A variant carries the type of each scalar with it; structs and lists in it are told by what they hold. */
export function encodeVariant(value: DuckDBValue, encoderOf: EncoderOf): string {
  if (value instanceof DuckDBVariantValue) {
    const { value: inner, type } = value;
    const isNested = inner instanceof DuckDBListValue || inner instanceof DuckDBStructValue;
    return type && !isNested ? encoderOf(type)(inner) : encodeVariant(inner, encoderOf);
  }
  if (value instanceof DuckDBListValue)
    return `[${value.items.map((item) => encodeVariant(item, encoderOf)).join(',')}]`;
  if (value instanceof DuckDBStructValue) {
    const members = Object.entries(value.entries);
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${encodeVariant(member, encoderOf)}`).join(',')}}`;
  }
  if (value === null || typeof value === 'boolean') return String(value);
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : JSON.stringify(String(value));
}
