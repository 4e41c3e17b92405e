import type { ColumnType } from '#libs/contracts';
import { parseArrayText, type ArrayItem } from './postgres-array.js';
import { base64OfHex, isoDateText, isoIntervalText, isoTimestampText, isoZoneText } from './postgres-text.js';

/** How values of one type come out: the column's type, and the JSON token of a value's text. */
export interface PostgresType {
  readonly type: ColumnType;
  readonly encode: (text: string) => string;
}

/** The token of a text that holds nothing that JSON escapes. */
const plain = (text: string): string => `"${text}"`;
const asIs = (text: string): string => text;
const quoted = (text: string): string => JSON.stringify(text);

/** NaN and the infinities have no JSON number. PostgreSQL writes every other number as JSON does. */
const float = (text: string): string => (text === 'NaN' || text.endsWith('y') ? plain(text) : text);

const types = {
  boolean: { type: 'BOOLEAN', encode: (text) => (text === 't' ? 'true' : 'false') },
  integer: { type: 'INTEGER', encode: asIs },
  bigint: { type: 'BIGINT', encode: plain },
  float: { type: 'FLOAT', encode: float },
  decimal: { type: 'DECIMAL', encode: plain },
  text: { type: 'TEXT', encode: quoted },
  date: { type: 'DATE', encode: (text) => plain(isoDateText(text)) },
  time: { type: 'TIME', encode: plain },
  timeWithZone: { type: 'TIME', encode: (text) => plain(isoZoneText(text)) },
  timestamp: { type: 'TIMESTAMP', encode: (text) => plain(isoTimestampText(text, false)) },
  timestampWithZone: { type: 'TIMESTAMP_TZ', encode: (text) => plain(isoTimestampText(text, true)) },
  interval: { type: 'INTERVAL', encode: (text) => plain(isoIntervalText(text)) },
  bytes: { type: 'BYTES', encode: (text) => plain(base64OfHex(text)) },
  // The server's own JSON text, so that numbers keep all their digits.
  json: { type: 'JSON', encode: asIs },
  uuid: { type: 'UUID', encode: plain },
  unknown: { type: 'UNKNOWN', encode: quoted },
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
  return { type: 'ARRAY', encode: (text) => encodeItem(parseArrayText(text, delimiter)) };
}
