import * as arrow from 'apache-arrow';
import type { PhysicalType, PhysicalValue } from './physical-type.js';
import type { ColumnValues } from './physical-values.js';
import type { ResultPages } from './result-pages.js';
import { surveyTypes } from './survey-types.js';
import { writeTypedPage } from './typed-page.js';

/** An Arrow IPC stream: the schema, then a record batch for each stored page. */
export async function* arrowFile(pages: ResultPages): AsyncGenerator<Uint8Array, void, undefined> {
  const types = await surveyTypes(pages);
  const fields = pages.columns.map(({ name }, index) => arrow.Field.new(name, arrowType(types[index]), true));
  const schema = new arrow.Schema(fields);
  const sink = new PieceQueue();
  const writer = new arrow.RecordBatchStreamWriter();
  writer.reset(sink, schema);
  for (let number = 0; number < pages.pages.length; number++) {
    yield* await writeTypedPage(pages, types, number, (columns) => {
      writer.write(toBatch(schema, types, columns));
      return sink.take();
    });
  }
  writer.finish();
  yield* sink.take();
}

/** Keeps what the writer has made until it is taken, instead of queueing it for whoever comes. */
class PieceQueue extends arrow.AsyncByteQueue<Uint8Array> {
  private pieces: Uint8Array[] = [];

  override write(value: Uint8Array): void {
    this.pieces.push(value);
  }

  take(): Uint8Array[] {
    const taken = this.pieces;
    this.pieces = [];
    return taken;
  }
}

function arrowType(type: PhysicalType = { kind: 'text' }): arrow.DataType {
  switch (type.kind) {
    case 'boolean':
      return new arrow.Bool();
    case 'int32':
      return new arrow.Int32();
    case 'int64':
      return new arrow.Int64();
    case 'uint64':
      return new arrow.Uint64();
    case 'double':
      return new arrow.Float64();
    case 'decimal':
      return new arrow.Decimal(type.scale, type.precision, 128);
    case 'date':
      return new arrow.DateDay();
    case 'time':
      return new arrow.TimeMicrosecond();
    case 'timestamp': {
      const unit = type.unit === 'micros' ? arrow.TimeUnit.MICROSECOND : arrow.TimeUnit.NANOSECOND;
      return new arrow.Timestamp(unit, type.isUtc ? 'UTC' : null);
    }
    case 'bytes':
      return new arrow.Binary();
    case 'text':
      return new arrow.Utf8();
  }
}

function toBatch(schema: arrow.Schema, types: readonly PhysicalType[], columns: ColumnValues): arrow.RecordBatch {
  const length = columns[0]?.length ?? 0;
  const children = columns.map((values, index) => toData(types[index] ?? { kind: 'text' }, values));
  const struct = arrow.makeData({ type: new arrow.Struct(schema.fields), length, nullCount: 0, children });
  return new arrow.RecordBatch(schema, struct);
}

/** One column as Arrow lays it out: a bit for each value that is there, and the values. */
function toData(type: PhysicalType, values: readonly PhysicalValue[]): arrow.Data {
  const nullBitmap = new Uint8Array(Math.ceil(values.length / 8));
  let nullCount = 0;
  for (const [index, value] of values.entries()) {
    if (value === null) nullCount += 1;
    else setBit(nullBitmap, index);
  }
  const common = { type: arrowType(type), length: values.length, nullCount, nullBitmap };
  const { kind } = type;
  if (kind === 'text' || kind === 'bytes') {
    // The type is Utf8 or Binary, which have the same layout.
    return arrow.makeData({ ...common, type: common.type as arrow.Utf8, ...varying(values) });
  }
  // Each type has the layout that its own row of `fixed` makes.
  return arrow.makeData({ ...common, type: common.type as arrow.Int32, data: fixed(kind, values) as Int32Array });
}

type FixedKind = Exclude<PhysicalType['kind'], 'text' | 'bytes'>;

function fixed(kind: FixedKind, values: readonly PhysicalValue[]): ArrayBufferView {
  switch (kind) {
    case 'boolean': {
      const bits = new Uint8Array(Math.ceil(values.length / 8));
      for (const [index, value] of values.entries()) if (value === true) setBit(bits, index);
      return bits;
    }
    case 'int32':
    case 'date':
      return Int32Array.from(values, (value) => (typeof value === 'number' ? value : 0));
    case 'double':
      return Float64Array.from(values, (value) => (typeof value === 'number' ? value : 0));
    case 'uint64':
      return BigUint64Array.from(values, bigintOf);
    case 'int64':
    case 'time':
    case 'timestamp':
      return BigInt64Array.from(values, bigintOf);
    case 'decimal':
      return decimals(values);
  }
}

function bigintOf(value: PhysicalValue): bigint {
  return typeof value === 'bigint' ? value : 0n;
}

/** 128 bits each, the lower half first. */
function decimals(values: readonly PhysicalValue[]): Uint32Array {
  const halves = new BigUint64Array(values.length * 2);
  for (const [index, value] of values.entries()) {
    const unscaled = bigintOf(value);
    halves[index * 2] = BigInt.asUintN(64, unscaled);
    halves[index * 2 + 1] = BigInt.asUintN(64, unscaled >> 64n);
  }
  return new Uint32Array(halves.buffer);
}

function varying(values: readonly PhysicalValue[]): { valueOffsets: Int32Array; data: Uint8Array } {
  const valueOffsets = new Int32Array(values.length + 1);
  let length = 0;
  for (const [index, value] of values.entries()) {
    if (typeof value === 'string') length += Buffer.byteLength(value);
    else if (value instanceof Uint8Array) length += value.byteLength;
    valueOffsets[index + 1] = length;
  }
  const data = Buffer.allocUnsafe(length);
  for (const [index, value] of values.entries()) {
    const start = valueOffsets[index] ?? 0;
    if (typeof value === 'string') data.write(value, start);
    else if (value instanceof Uint8Array) data.set(value, start);
  }
  return { valueOffsets, data };
}

function setBit(bits: Uint8Array, index: number): void {
  bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
}
