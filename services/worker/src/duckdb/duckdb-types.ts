import {
  DuckDBTypeId,
  type DuckDBArrayValue,
  type DuckDBBlobValue,
  type DuckDBDateValue,
  type DuckDBIntervalValue,
  type DuckDBListValue,
  type DuckDBTimeNSValue,
  type DuckDBTimestampMillisecondsValue,
  type DuckDBTimestampNanosecondsValue,
  type DuckDBTimestampSecondsValue,
  type DuckDBTimestampTZValue,
  type DuckDBTimestampValue,
  type DuckDBTimeTZValue,
  type DuckDBTimeValue,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';
import type { ColumnType } from '#libs/contracts';
import { isoDate } from '../connector/civil-date.js';
import { encoderOfMap, encoderOfStruct, encoderOfUnion, encodeVariant } from './duckdb-nested.js';
import {
  isoInterval,
  isoOffset,
  isoTimeOfMicros,
  isoTimeOfNanos,
  isoTimestampOfMicros,
  isoTimestampOfNanos,
  shortestFloat32,
} from './duckdb-values.js';

/** How values of one type come out: the column's type, and the JSON token of a value that is not NULL. */
export interface DuckdbColumnType {
  readonly type: ColumnType;
  readonly encode: (value: DuckDBValue) => string;
}

/** `V` is what the driver makes for values of the type that this is used for. */
function comesOut<V extends DuckDBValue>(type: ColumnType, encode: (value: V) => string): DuckdbColumnType {
  // The table below pairs each type with the driver's class of its values, and the tests go through all of them.
  return { type, encode: encode as (value: DuckDBValue) => string };
}

/** A text that holds nothing that JSON escapes. */
const plain = (text: string): string => `"${text}"`;
const quoted = (value: DuckDBValue): string => JSON.stringify(String(value));
const asText = (value: DuckDBValue): string => plain(String(value));
const base64 = ({ bytes }: { bytes: Uint8Array }): string => plain(Buffer.from(bytes).toString('base64'));

/** Dates and timestamps have infinities, which are the ends of their ranges. */
function finite(isFinite: boolean, isPast: boolean, text: () => string): string {
  if (isFinite) return plain(text());
  return plain(isPast ? '-Infinity' : 'Infinity');
}

/** NaN and the infinities have no JSON number. */
function float(value: number, text: (value: number) => string): string {
  return Number.isFinite(value) ? text(value) : plain(String(value));
}

const doubleText = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));

const timestampOf = (type: ColumnType, zone = ''): DuckdbColumnType =>
  comesOut<DuckDBTimestampValue | DuckDBTimestampTZValue>(type, ({ isFinite, micros }) =>
    finite(isFinite, micros < 0n, () => `${isoTimestampOfMicros(micros)}${zone}`),
  );

const scalars: Readonly<Partial<Record<DuckDBTypeId, DuckdbColumnType>>> = {
  [DuckDBTypeId.BOOLEAN]: comesOut('BOOLEAN', String),
  [DuckDBTypeId.TINYINT]: comesOut('INTEGER', String),
  [DuckDBTypeId.SMALLINT]: comesOut('INTEGER', String),
  [DuckDBTypeId.INTEGER]: comesOut('INTEGER', String),
  [DuckDBTypeId.UTINYINT]: comesOut('INTEGER', String),
  [DuckDBTypeId.USMALLINT]: comesOut('INTEGER', String),
  // The upper half of this one does not fit 32 bits with a sign.
  [DuckDBTypeId.UINTEGER]: comesOut('BIGINT', asText),
  [DuckDBTypeId.BIGINT]: comesOut('BIGINT', asText),
  [DuckDBTypeId.UBIGINT]: comesOut('BIGINT', asText),
  // Wider than 64 bits: decimals without a fraction.
  [DuckDBTypeId.HUGEINT]: comesOut('DECIMAL', asText),
  [DuckDBTypeId.UHUGEINT]: comesOut('DECIMAL', asText),
  [DuckDBTypeId.BIGNUM]: comesOut('DECIMAL', asText),
  [DuckDBTypeId.DECIMAL]: comesOut('DECIMAL', asText),
  [DuckDBTypeId.FLOAT]: comesOut<number>('FLOAT', (value) => float(value, shortestFloat32)),
  [DuckDBTypeId.DOUBLE]: comesOut<number>('FLOAT', (value) => float(value, doubleText)),
  [DuckDBTypeId.VARCHAR]: comesOut('TEXT', quoted),
  [DuckDBTypeId.ENUM]: comesOut('TEXT', quoted),
  [DuckDBTypeId.UUID]: comesOut('UUID', asText),
  [DuckDBTypeId.DATE]: comesOut<DuckDBDateValue>('DATE', ({ isFinite, days }) =>
    finite(isFinite, days < 0, () => isoDate(days)),
  ),
  [DuckDBTypeId.TIME]: comesOut<DuckDBTimeValue>('TIME', ({ micros }) => plain(isoTimeOfMicros(Number(micros)))),
  [DuckDBTypeId.TIME_NS]: comesOut<DuckDBTimeNSValue>('TIME', ({ nanos }) => plain(isoTimeOfNanos(nanos))),
  [DuckDBTypeId.TIME_TZ]: comesOut<DuckDBTimeTZValue>('TIME', ({ micros, offset }) =>
    plain(`${isoTimeOfMicros(Number(micros))}${isoOffset(offset)}`),
  ),
  [DuckDBTypeId.TIMESTAMP]: timestampOf('TIMESTAMP'),
  [DuckDBTypeId.TIMESTAMP_TZ]: timestampOf('TIMESTAMP_TZ', '+00:00'),
  [DuckDBTypeId.TIMESTAMP_S]: comesOut<DuckDBTimestampSecondsValue>('TIMESTAMP', ({ isFinite, seconds }) =>
    finite(isFinite, seconds < 0n, () => isoTimestampOfMicros(seconds * 1_000_000n)),
  ),
  [DuckDBTypeId.TIMESTAMP_MS]: comesOut<DuckDBTimestampMillisecondsValue>('TIMESTAMP', ({ isFinite, millis }) =>
    finite(isFinite, millis < 0n, () => isoTimestampOfMicros(millis * 1_000n)),
  ),
  [DuckDBTypeId.TIMESTAMP_NS]: comesOut<DuckDBTimestampNanosecondsValue>('TIMESTAMP', ({ isFinite, nanos }) =>
    finite(isFinite, nanos < 0n, () => isoTimestampOfNanos(nanos)),
  ),
  [DuckDBTypeId.INTERVAL]: comesOut<DuckDBIntervalValue>('INTERVAL', ({ months, days, micros }) =>
    plain(isoInterval(months, days, micros)),
  ),
  [DuckDBTypeId.BLOB]: comesOut<DuckDBBlobValue>('BYTES', base64),
  // In its well-known binary form.
  [DuckDBTypeId.GEOMETRY]: comesOut<DuckDBBlobValue>('BYTES', base64),
};

const unknown: DuckdbColumnType = comesOut('UNKNOWN', quoted);

export function columnTypeOf(type: DuckDBType): DuckdbColumnType {
  // JSON is text by another name; the text is kept as it is, so that its numbers keep all their digits.
  if (type.alias?.toUpperCase() === 'JSON') return comesOut('JSON', String);
  switch (type.typeId) {
    case DuckDBTypeId.LIST:
    case DuckDBTypeId.ARRAY: {
      const encodeItem = encoderOf(type.valueType);
      return comesOut<DuckDBListValue | DuckDBArrayValue>(
        'ARRAY',
        ({ items }) => `[${items.map(encodeItem).join(',')}]`,
      );
    }
    case DuckDBTypeId.STRUCT:
      return comesOut('JSON', encoderOfStruct(type, encoderOf));
    case DuckDBTypeId.MAP:
      return comesOut('JSON', encoderOfMap(type, encoderOf));
    case DuckDBTypeId.UNION:
      return comesOut('JSON', encoderOfUnion(type, encoderOf));
    case DuckDBTypeId.VARIANT:
      return comesOut('JSON', (value) => encodeVariant(value, encoderOf));
    default:
      return scalars[type.typeId] ?? unknown;
  }
}

/** As columnTypeOf, with null for NULL; for what lies inside other values. */
function encoderOf(type: DuckDBType): (value: DuckDBValue) => string {
  const { encode } = columnTypeOf(type);
  return (value) => (value === null ? 'null' : encode(value));
}
