import { describe, expect, it } from 'vitest';
import type { Column } from '#libs/contracts';
import { delimitedWriter } from './delimited-writer.js';

const column = (type: Column['type'], name: string = type): Column => ({ name, type, nullable: true });

function csvOf(type: Column['type'], value: unknown, escapesFormulas = true): string {
  const writer = delimitedWriter([column('INTEGER', 'n'), column(type)], { delimiter: ',', escapesFormulas });
  return writer.row(['1', JSON.stringify(value)], 0).slice(2, -2);
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
    expect(writer.row(['{"a": [1.50, "="]}'], 0)).toBe('"{""a"": [1.50, ""=""]}"\r\n');
    expect(writer.row(['"=1"'], 0)).toBe('"""=1"""\r\n');
  });

  it('with tabs quotes tabs and not commas', () => {
    const writer = delimitedWriter([column('TEXT')], { delimiter: '\t', escapesFormulas: true });
    expect(writer.row(['"a,b"'], 0)).toBe('a,b\r\n');
    expect(writer.row(['"a\\tb"'], 0)).toBe('"a\tb"\r\n');
  });
});
