import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { ParquetFooter } from './parquet-footer.js';

const schema: ParquetWriter['schema'] = [
  { name: 'root', num_children: 3 },
  { name: 'n', type: 'INT64', repetition_type: 'OPTIONAL' },
  {
    name: 'at',
    type: 'INT64',
    repetition_type: 'OPTIONAL',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
  },
  { name: 'text of “any” name', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL', converted_type: 'UTF8' },
];

/** A file of so many row groups with so many rows each, as the library writes it, up to its end. */
async function written(groupCount: number, rowCount: number) {
  const bytes = new ByteWriter();
  const file = new ParquetWriter({ writer: bytes, schema, codec: 'UNCOMPRESSED', createdBy: 'sluice' });
  for (let group = 0; group < groupCount; group += 1) {
    const numbers = Array.from({ length: rowCount }, (_, row) => BigInt(group * rowCount + row));
    const columnData = [
      { name: 'n', data: numbers },
      { name: 'at', data: numbers.map((number) => number * 1_000_000n) },
      { name: 'text of “any” name', data: numbers.map(String), statistics: false },
    ];
    await file.write({ columnData, rowGroupSize: rowCount });
  }
  file.pendingIndexes.length = 0;
  bytes.index = 0;
  return { file, bytes };
}

describe('the footer of a Parquet file', () => {
  it.each([
    [1, 1],
    [1, 300],
    [14, 2],
    [15, 2],
    [128, 1],
    [300, 200],
  ])(
    'of %i row groups with %i rows is byte for byte what the library writes in one go',
    async (groupCount, rowCount) => {
      const { file, bytes } = await written(groupCount, rowCount);
      const footer = new ParquetFooter(schema);
      for (const group of file.row_groups) footer.add(group);
      await file.finish();
      expect(Buffer.from(footer.end())).toEqual(Buffer.from(bytes.getBytes()));
    },
  );

  it('has a row group as bytes as soon as it is told of it: its end has no column of any group to look at', async () => {
    const { file, bytes } = await written(3, 10);
    const footer = new ParquetFooter(schema);
    for (const group of file.row_groups) footer.add(group);
    await file.finish();
    for (const group of file.row_groups) group.columns.length = 0;
    expect(Buffer.from(footer.end())).toEqual(Buffer.from(bytes.getBytes()));
  });
});
