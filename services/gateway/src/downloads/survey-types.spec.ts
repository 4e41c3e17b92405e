import { describe, expect, it } from 'vitest';
import type { Column } from '#libs/contracts';
import { decodePage, encodePage } from '#libs/result-store';
import { ownPage } from '../results/page-loan.js';
import type { PhysicalType, PhysicalValue } from './physical-type.js';
import { readColumns } from './physical-values.js';
import { ResultPages } from './result-pages.js';
import { surveyTypes } from './survey-types.js';

async function surveyed(
  type: Column['type'],
  values: readonly unknown[],
): Promise<{ type: PhysicalType | undefined; values: readonly PhysicalValue[] | undefined }> {
  const texts = values.map((value) => JSON.stringify([value]));
  const open = async () => ownPage(await decodePage(await encodePage(texts)));
  const columns = [{ name: 'c', type, nullable: true }];
  const pages = new ResultPages(columns, null, [{ firstRow: 0, rowCount: values.length, open }]);
  const types = await surveyTypes(pages);
  const [read] = await readColumns(pages, types, [(await pages.open(0)).page]);
  return { type: types[0], values: read };
}

describe('the type of a column in a typed file', () => {
  it('is a decimal wide enough for every value', async () => {
    expect(await surveyed('DECIMAL', ['1.50', null, '-123', '0.001'])).toEqual({
      type: { kind: 'decimal', precision: 6, scale: 3 },
      values: [1_500n, null, -123_000n, 1n],
    });
  });

  it.each([
    ['DECIMAL', 'NaN'],
    ['DECIMAL', '1'.repeat(39)],
    ['DECIMAL', `${'1'.repeat(20)}.${'1'.repeat(19)}`],
    ['DATE', 'Infinity'],
    ['DATE', '-0043-03-15'],
    ['DATE', '+12026-01-01'],
    ['TIME', '24:00:00'],
    ['TIME', '10:20:30+05:30'],
    ['TIMESTAMP', '-Infinity'],
    ['TIMESTAMP_TZ', '+10000-01-01T00:00:00+00:00'],
    ['UUID', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    ['INTERVAL', 'P1D'],
  ] as const)('%s with %s is text, as it is', async (type, value) => {
    expect(await surveyed(type, [value, null])).toEqual({ type: { kind: 'text' }, values: [value, null] });
  });

  it('is unsigned only where it must be', async () => {
    expect((await surveyed('BIGINT', ['9223372036854775807', '-1'])).type).toEqual({ kind: 'int64' });
    expect(await surveyed('BIGINT', ['18446744073709551615'])).toEqual({
      type: { kind: 'uint64' },
      values: [18446744073709551615n],
    });
  });

  it('is a count of microseconds, and of nanoseconds only where a value has them', async () => {
    expect(await surveyed('TIMESTAMP_TZ', ['1969-12-31T23:59:59.5+00:00', '1970-01-01T00:00:01+00:00'])).toEqual({
      type: { kind: 'timestamp', unit: 'micros', isUtc: true },
      values: [-500_000n, 1_000_000n],
    });
    expect(await surveyed('TIMESTAMP', ['1970-01-01T00:00:00.000000001', '1969-12-31T23:59:59'])).toEqual({
      type: { kind: 'timestamp', unit: 'nanos', isUtc: false },
      values: [1n, -1_000_000_000n],
    });
    expect((await surveyed('TIMESTAMP', ['0001-01-01T00:00:00.123456789'])).type).toEqual({ kind: 'text' });
  });

  it('keeps documents as their JSON, strings in quotes', async () => {
    expect((await surveyed('JSON', ['x', { a: 1 }, null])).values).toEqual(['"x"', '{"a":1}', null]);
  });
});
