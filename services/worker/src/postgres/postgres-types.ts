import type { ColumnType } from '#libs/contracts';
import { parseArrayText, type ArrayItem } from './postgres-array.js';
import type { RowWriter } from './row-writer.js';
import { base64OfHex, isoDateText, isoIntervalText, isoTimestampText, isoZoneText } from './postgres-text.js';

/** How values of one type come out. */
export interface PostgresType {
  readonly type: ColumnType;
  /** The JSON token of a value's text. */
  readonly encode: (text: string) => string;
  /** The same from the bytes of the text, as UTF-8, to those of the token. */
  readonly write: WriteValue;
}

type WriteValue = (to: RowWriter, bytes: Buffer, from: number, end: number) => void;

/** The token of a text that holds nothing that JSON escapes. */
const plain = (text: string): string => `"${text}"`;
const asIs = (text: string): string => text;
const quoted = (text: string): string => JSON.stringify(text);

/** NaN and the infinities have no JSON number. PostgreSQL writes every other number as JSON does. */
const float = (text: string): string => (text === 'NaN' || text.endsWith('y') ? plain(text) : text);

const writePlain: WriteValue = (to, bytes, from, end) => to.plain(bytes, from, end);
const writeAsIs: WriteValue = (to, bytes, from, end) => to.raw(bytes, from, end);
const writeQuoted: WriteValue = (to, bytes, from, end) => to.text(bytes, from, end);

const space = 0x20;
const plus = 0x2b;
const minus = 0x2d;
const nine = 0x39;
const letterT = 0x74;
const trueToken = Buffer.from('true');
const falseToken = Buffer.from('false');
/** Of a date with a year of four digits. */
const dateBytes = 10;

function typed(
  type: ColumnType,
  encode: PostgresType['encode'],
  write: WriteValue = (to, bytes, from, end) => to.token(encode(bytes.toString('utf8', from, end))),
): PostgresType {
  return { type, encode, write };
}

const types = {
  boolean: typed(
    'BOOLEAN',
    (text) => (text === 't' ? 'true' : 'false'),
    (to, bytes, from) => to.whole(bytes[from] === letterT ? trueToken : falseToken),
  ),
  integer: typed('INTEGER', asIs, writeAsIs),
  bigint: typed('BIGINT', plain, writePlain),
  float: typed('FLOAT', float, writeFloat),
  decimal: typed('DECIMAL', plain, writePlain),
  text: typed('TEXT', quoted, writeQuoted),
  date: typed('DATE', (text) => plain(isoDateText(text))),
  time: typed('TIME', plain, writePlain),
  timeWithZone: typed('TIME', (text) => plain(isoZoneText(text))),
  timestamp: timestampOf('TIMESTAMP', false),
  timestampWithZone: timestampOf('TIMESTAMP_TZ', true),
  interval: typed('INTERVAL', (text) => plain(isoIntervalText(text))),
  bytes: typed('BYTES', (text) => plain(base64OfHex(text))),
  // The server's own JSON text, so that numbers keep all their digits.
  json: typed('JSON', asIs, writeAsIs),
  uuid: typed('UUID', plain, writePlain),
  unknown: typed('UNKNOWN', quoted, writeQuoted),
} as const satisfies Record<string, PostgresType>;

export const unknownType: PostgresType = types.unknown;
export const textType: PostgresType = types.text;

/** By the type's name in pg_catalog, with its oid and that of its array; both are fixed for all releases. */
const builtIn: readonly [name: string, oid: number, arrayOid: number, type: PostgresType][] = [
  ['bool', 16, 1000, types.boolean],
  ['int2', 21, 1005, types.integer],
  ['int4', 23, 1007, types.integer],
  ['int8', 20, 1016, types.bigint],
  // Unsigned, so that its upper half does not fit 32 bits with a sign.
  ['oid', 26, 1028, types.bigint],
  ['float4', 700, 1021, types.float],
  ['float8', 701, 1022, types.float],
  ['numeric', 1700, 1231, types.decimal],
  ['text', 25, 1009, types.text],
  ['varchar', 1043, 1015, types.text],
  ['bpchar', 1042, 1014, types.text],
  ['name', 19, 1003, types.text],
  ['char', 18, 1002, types.text],
  ['date', 1082, 1182, types.date],
  ['time', 1083, 1183, types.time],
  ['timetz', 1266, 1270, types.timeWithZone],
  ['timestamp', 1114, 1115, types.timestamp],
  ['timestamptz', 1184, 1185, types.timestampWithZone],
  ['interval', 1186, 1187, types.interval],
  ['bytea', 17, 1001, types.bytes],
  ['json', 114, 199, types.json],
  ['jsonb', 3802, 3807, types.json],
  ['uuid', 2950, 2951, types.uuid],
  ['bit', 1560, 1561, types.unknown],
  ['varbit', 1562, 1563, types.unknown],
  ['inet', 869, 1041, types.unknown],
  ['cidr', 650, 651, types.unknown],
  ['macaddr', 829, 1040, types.unknown],
  ['macaddr8', 774, 775, types.unknown],
  ['money', 790, 791, types.unknown],
  ['xml', 142, 143, types.unknown],
  ['point', 600, 1017, types.unknown],
  ['tsvector', 3614, 3643, types.unknown],
  ['int4range', 3904, 3905, types.unknown],
  ['int8range', 3926, 3927, types.unknown],
  ['numrange', 3906, 3907, types.unknown],
  ['daterange', 3912, 3913, types.unknown],
  ['tsrange', 3908, 3909, types.unknown],
  ['tstzrange', 3910, 3911, types.unknown],
];

export const builtInTypes: ReadonlyMap<number, PostgresType> = new Map(
  builtIn.flatMap(([, oid, arrayOid, type]) => [
    [oid, type],
    [arrayOid, arrayOf(type)],
  ]),
);

const byName: ReadonlyMap<string, PostgresType> = new Map(builtIn.map(([name, , , type]) => [name, type]));

/** The type that pg_type names so, such as int4; for columns of tables. */
export function typeNamed(name: string): PostgresType {
  return byName.get(name) ?? types.unknown;
}

export function arrayOf(item: PostgresType, delimiter = ','): PostgresType {
  const encodeItem = (value: ArrayItem): string => {
    if (value === null) return 'null';
    return typeof value === 'string' ? item.encode(value) : `[${value.map(encodeItem).join(',')}]`;
  };
  return typed('ARRAY', (text) => encodeItem(parseArrayText(text, delimiter)));
}

/** As `float`: what ends in a letter is no number. */
function writeFloat(to: RowWriter, bytes: Buffer, from: number, end: number): void {
  if ((bytes[end - 1] ?? 0) > nine) to.plain(bytes, from, end);
  else to.raw(bytes, from, end);
}

/** A year of four digits and no era is copied with a T and, where the zone is one of whole hours, its minutes. */
function timestampOf(type: ColumnType, hasZone: boolean): PostgresType {
  const encode = (text: string): string => plain(isoTimestampText(text, hasZone));
  return typed(type, encode, (to, bytes, from, end) => {
    const isUsual = end - from > dateBytes && bytes[from + dateBytes] === space && (bytes[end - 1] ?? 0) <= nine;
    if (!isUsual) return to.token(encode(bytes.toString('utf8', from, end)));
    const sign = bytes[end - 3];
    to.timestamp(bytes, from, end, hasZone && (sign === plus || sign === minus) ? ':00' : '');
  });
}
