import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Column } from '#libs/contracts';
import { ByteWriter } from '#libs/result-store';
import { delimitedWriter } from './delimited-writer.js';
import { RowReader } from './row-reader.js';
import type { TextWriter } from './text-writer.js';

const column = (type: Column['type'], name: string = type): Column => ({ name, type, nullable: true });

/** @param members the JSON texts of a row's values */
function lineOf(writer: TextWriter, members: readonly string[]): string {
  const text = Buffer.from(`[${members.join(',')}]`);
  const row = new RowReader(members.length, null);
  row.read(text, 0, text.length);
  const out = new ByteWriter(0);
  writer.row(row, out, 0);
  return out.written().toString();
}

function csvOf(type: Column['type'], value: unknown, escapesFormulas = true): string {
  const writer = delimitedWriter([column('INTEGER', 'n'), column(type)], { delimiter: ',', escapesFormulas });
  return lineOf(writer, ['1', JSON.stringify(value)]).slice(2, -2);
}

describe('CSV', () => {
  it('tells NULL from an empty text', () => {
    expect(csvOf('TEXT', null)).toBe('');
    expect(csvOf('TEXT', '')).toBe('""');
  });

  it('quotes what RFC 4180 wants quoted, and nothing else', () => {
    expect(csvOf('TEXT', 'a "b"')).toBe('"a ""b"""');
    for (const text of ['a,b', 'a\nb', 'a\rb', 'a\r\nb']) expect(csvOf('TEXT', text)).toBe(`"${text}"`);
    for (const text of ['a\tb', ' a ', "it's", 'Grüße', 'a\u0000b']) expect(csvOf('TEXT', text)).toBe(text);
  });

  it.each(['=1+1', '+1-1', '-1+1', '@sum(a1)', '\t=1', '＝1+1'])(
    'lets no spreadsheet take %j for a formula',
    (text) => {
      expect(csvOf('TEXT', text)).toBe(`'${text}`);
      expect(csvOf('UNKNOWN', text)).toBe(`'${text}`);
      expect(csvOf('TEXT', text, false)).toBe(text);
    },
  );

  it('escapes a formula in the name of a column', () => {
    const writer = delimitedWriter([column('TEXT', '=cmd()')], { delimiter: ',', escapesFormulas: true });
    expect(writer.head).toBe("'=cmd()\r\n");
  });

  it('leaves numbers as they are, whatever their sign or type', () => {
    expect(csvOf('INTEGER', -5)).toBe('-5');
    expect(csvOf('FLOAT', -1e300)).toBe('-1e+300');
    expect(csvOf('FLOAT', '-Infinity')).toBe('-Infinity');
    expect(csvOf('BIGINT', '-9223372036854775808')).toBe('-9223372036854775808');
    expect(csvOf('DECIMAL', '-0.50')).toBe('-0.50');
    expect(csvOf('DATE', '-0043-03-15')).toBe('-0043-03-15');
    for (const text of ['-5', '+49', '-1.5e3']) expect(csvOf('TEXT', text)).toBe(text);
  });

  it('has documents as JSON', () => {
    const writer = delimitedWriter([column('JSON')], { delimiter: ',', escapesFormulas: true });
    expect(lineOf(writer, ['{"a": [1.50, "="]}'])).toBe('"{""a"": [1.50, ""=""]}"\r\n');
    expect(lineOf(writer, ['"=1"'])).toBe('"""=1"""\r\n');
  });

  it('with tabs quotes tabs and not commas', () => {
    const writer = delimitedWriter([column('TEXT')], { delimiter: '\t', escapesFormulas: true });
    expect(lineOf(writer, ['"a,b"'])).toBe('a,b\r\n');
    expect(lineOf(writer, ['"a\\tb"'])).toBe('"a\tb"\r\n');
  });

  it('has of any text what RFC 4180 wants, with and without the escape of formulas', () => {
    const parts = fc.constantFrom(
      'a',
      'ž',
      '𝕊',
      '=',
      '+',
      '-',
      '@',
      '＝',
      '，',
      '"',
      ',',
      '\t',
      '\r',
      '\n',
      '\\',
      '\u0001',
      ' ',
      '7',
    );
    fc.assert(
      fc.property(
        fc.array(parts, { maxLength: 8 }),
        fc.boolean(),
        fc.constantFrom(',', '\t'),
        (some, escapesFormulas, delimiter) => {
          const text = some.join('');
          const isFormula = /^[=+\-@\t\r\n＝]/.test(text) && !/^[+-]?\d+$/.test(text);
          const safe = escapesFormulas && isFormula ? `'${text}` : text;
          const wantsQuotes = safe === '' || ['"', '\r', '\n', delimiter].some((special) => safe.includes(special));
          const cell = wantsQuotes ? `"${safe.replaceAll('"', '""')}"` : safe;
          const writer = delimitedWriter([column('TEXT'), column('TEXT')], { delimiter, escapesFormulas });
          expect(lineOf(writer, [JSON.stringify(text), 'null'])).toBe(`${cell}${delimiter}\r\n`);
        },
      ),
    );
  });
});
