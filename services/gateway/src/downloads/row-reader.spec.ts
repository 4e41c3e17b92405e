import { describe, expect, it } from 'vitest';
import { ByteWriter } from '#libs/result-store';
import { jsonWriter, ndjsonWriter } from './json-writer.js';
import { RowReader } from './row-reader.js';

const columns = ['n', 't', 'd'].map((name) => ({ name, type: 'JSON', nullable: true }) as const);

function read(row: string, indexes: readonly number[] | null = null): RowReader {
  // Behind another row, as in a page.
  const text = Buffer.from(`[0],${row},`);
  const reader = new RowReader(3, indexes);
  reader.read(text, 4, text.length - 1);
  return reader;
}

function valueOf(reader: RowReader, column: number): string {
  return reader.text.toString('utf8', reader.begin(column), reader.end(column));
}

describe('a row of a download', () => {
  it('has the chosen values in their order, with every digit, whatever is in those beside them', () => {
    const row = String.raw`[12345678901234567890.10,"ž,\"]",{"a":["]",1]}]`;
    const all = read(row);
    expect([0, 1, 2].map((column) => valueOf(all, column))).toEqual([
      '12345678901234567890.10',
      String.raw`"ž,\"]"`,
      '{"a":["]",1]}',
    ]);
    const chosen = read(row, [2, 0]);
    expect([0, 1].map((column) => valueOf(chosen, column))).toEqual(['{"a":["]",1]}', '12345678901234567890.10']);
  });

  it.each(['[1,2]', '[1,2,3,4]', '[]', '[1,2,]', '[1,[2,3]', '["a,2,3]', '{"a":1}'])(
    'is damaged as %s, where there are three columns',
    (row) => {
      expect(() => read(row)).toThrowError(expect.objectContaining({ code: 'result.corrupt' }));
    },
  );
});

describe('JSON of rows', () => {
  const row = '[1,"ž\\n",{"a":\r\n [1,\n\n2]}]';

  it('is an object in one line, whatever line breaks its documents were written with', () => {
    const out = new ByteWriter(0);
    ndjsonWriter(columns).row(read(row), out, 0);
    expect(out.written().toString()).toBe('{"n":1,"t":"ž\\n","d":{"a":  [1, 2]}}\n');
  });

  it('is an array whose rows have commas between them', () => {
    const writer = jsonWriter(columns);
    const out = new ByteWriter(0);
    for (const number of [0, 1]) writer.row(read('[1,2,3]'), out, number);
    const text = `${writer.head}${out.written().toString()}${writer.tail}`;
    expect(text).toBe('[\n{"n":1,"t":2,"d":3},\n{"n":1,"t":2,"d":3}\n]\n');
    expect(JSON.parse(text)).toHaveLength(2);
  });
});
