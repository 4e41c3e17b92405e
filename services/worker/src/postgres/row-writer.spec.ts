import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { typeNamed } from './postgres-types.js';
import { RowWriter } from './row-writer.js';

/** The rows of one value each, written from bytes that have others around them, as on the wire. */
function written(typeName: string, texts: readonly string[]): string[] {
  const writer = new RowWriter();
  for (const text of texts) {
    const value = Buffer.from(text);
    writer.begin();
    typeNamed(typeName).write(writer, Buffer.from(`-1 +9${text} C+0`), 5, 5 + value.length);
    writer.end();
  }
  return writer.take().rows;
}

const two = (value: number): string => String(value).padStart(2, '0');
const timestamps = fc
  .tuple(fc.integer({ min: 1, max: 294_276 }), fc.constantFrom('', '.5', '.123456'), fc.constantFrom('', ' BC'))
  .map(([year, fraction, era]) => ({
    date: `${String(year).padStart(4, '0')}-${two((year % 12) + 1)}-07`,
    fraction,
    era,
  }));

const texts: Readonly<Record<string, fc.Arbitrary<string>>> = {
  text: fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary-ascii', maxLength: 200 })),
  int4: fc.integer().map(String),
  int8: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  bool: fc.constantFrom('t', 'f'),
  float8: fc.oneof(fc.double().map(String), fc.constantFrom('NaN', 'Infinity', '-Infinity')),
  numeric: fc.oneof(fc.bigInt().map(String), fc.constantFrom('NaN', '1.50', 'Infinity')),
  timestamp: fc.oneof(
    timestamps.map(({ date, fraction, era }) => `${date} 10:20:30${fraction}${era}`),
    fc.constantFrom('infinity', '-infinity'),
  ),
  timestamptz: fc.oneof(
    timestamps.map(({ date, fraction, era }) => `${date} 10:20:30${fraction}+00${era}`),
    timestamps.map(({ date, fraction, era }) => `${date} 10:20:30${fraction}-03:30${era}`),
    fc.constantFrom('infinity', '-infinity'),
  ),
  date: fc.oneof(
    timestamps.map(({ date, era }) => `${date}${era}`),
    fc.constantFrom('infinity', '-infinity'),
  ),
};

describe('a value on its way from the wire', () => {
  it.each(Object.entries(texts))('of type %s comes out from its bytes as from its text', (typeName, arbitrary) => {
    fc.assert(
      fc.property(fc.array(arbitrary, { maxLength: 40 }), (values) => {
        expect(written(typeName, values)).toEqual(values.map((text) => `[${typeNamed(typeName).encode(text)}]`));
      }),
    );
  });

  it('that is no UTF-8, as a database without an encoding may send it, comes out as a decoder reads it', () => {
    const writer = new RowWriter();
    const bytes = Buffer.from([0x61, 0xc3, 0x22, 0xff, 0x62]);
    for (const length of [5, 2]) {
      writer.begin();
      writer.text(bytes, 0, length);
      writer.end();
    }
    const batch = writer.take();
    expect(batch.rows.map((row) => JSON.parse(row) as unknown)).toEqual([['a\ufffd"\ufffdb'], ['a\ufffd']]);
    expect(batch.rowBytes).toBe(Buffer.byteLength(batch.rows.join('')));
  });
});

describe('a writer of rows', () => {
  it('gives what was written since the last time, rows without values too', () => {
    const writer = new RowWriter();
    writer.begin();
    writer.end();
    for (const token of ['null', '"ž"']) {
      writer.begin();
      writer.token(token);
      writer.token('1');
      writer.end();
    }
    expect(writer.rowCount).toBe(3);
    expect(writer.take().rows).toEqual(['[]', '[null,1]', '["ž",1]']);
    expect(writer.take().rows).toEqual([]);
  });
});
