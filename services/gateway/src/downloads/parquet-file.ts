import { setImmediate } from 'node:timers/promises';
import { constants, zstdCompressSync } from 'node:zlib';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { ParquetFooter } from './parquet-footer.js';
import type { PhysicalType } from './physical-type.js';
import type { ColumnValues } from './physical-values.js';
import type { ResultPages } from './result-pages.js';
import { groupBytesFor, groupsOf } from './row-groups.js';
import { surveyTypes } from './survey-types.js';
import { writeTyped } from './typed-page.js';

type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]['schema'][number];

const compression = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/**
 * A Parquet file, of which one row group is in memory at a time, and what the footer says of each: it comes last.
 * @throws AppError result.too_large where that would be too much
 */
export async function* parquetFile(pages: ResultPages): AsyncGenerator<Uint8Array, void, undefined> {
  const groupBytes = groupBytesFor(pages);
  const types = await surveyTypes(pages);
  const schema = [
    { name: 'root', num_children: types.length },
    ...types.map((type, index) => schemaElement(pages.columns[index]?.name ?? '', type)),
  ];
  const bytes = new ByteWriter();
  const compressors = { ZSTD: (input: Uint8Array) => zstdCompressSync(input, compression) };
  const file = new ParquetWriter({ writer: bytes, schema, codec: 'ZSTD', compressors });
  const footer = new ParquetFooter(schema);
  for await (const group of groupsOf(pages, groupBytes)) {
    yield await writeTyped(pages, types, group, async (columns) => {
      await setImmediate();
      await file.write({ columnData: columnData(pages, types, columns), rowGroupSize: columns[0]?.length ?? 1 });
      // Places of pages in the file, which no column has asked for; the writer would hold them until its end.
      file.pendingIndexes.length = 0;
      for (const written of file.row_groups.splice(0)) footer.add(written);
      return taken(bytes);
    });
  }
  // Without rows not even the file's beginning has been taken.
  const beginning = taken(bytes);
  if (beginning.length > 0) yield beginning;
  yield footer.end();
}

/**
 * The least and the largest value of each row group stand in the footer, and are held until it is written: not those of texts and
 * bytes, which have no bound, and a text that was cut out of a row holds on to the row.
 */
function columnData(pages: ResultPages, types: readonly PhysicalType[], columns: ColumnValues) {
  return columns.map((data, index) => ({
    name: pages.columns[index]?.name ?? '',
    data: [...data],
    offsetIndex: false,
    statistics: !unbounded.has(types[index]?.kind ?? 'text'),
  }));
}

const unbounded: ReadonlySet<PhysicalType['kind']> = new Set(['text', 'bytes']);

/** What has been written so far, out of the writer's own buffer, which is used again. */
function taken(bytes: ByteWriter): Uint8Array {
  const copy = Buffer.from(bytes.getBytes());
  bytes.index = 0;
  return copy;
}

function schemaElement(name: string, type: PhysicalType): SchemaElement {
  const common = { name, repetition_type: 'OPTIONAL' } as const;
  switch (type.kind) {
    case 'boolean':
      return { ...common, type: 'BOOLEAN' };
    case 'int32':
      return { ...common, type: 'INT32' };
    case 'int64':
      return { ...common, type: 'INT64' };
    case 'uint64':
      return { ...common, type: 'INT64', converted_type: 'UINT_64' };
    case 'double':
      return { ...common, type: 'DOUBLE' };
    case 'decimal': {
      const { precision, scale } = type;
      return { ...common, type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, converted_type: 'DECIMAL', precision, scale };
    }
    case 'date':
      return { ...common, type: 'INT32', converted_type: 'DATE' };
    case 'time':
      return {
        ...common,
        type: 'INT64',
        converted_type: 'TIME_MICROS',
        logical_type: { type: 'TIME', isAdjustedToUTC: false, unit: 'MICROS' },
      };
    case 'timestamp': {
      const unit = type.unit === 'micros' ? 'MICROS' : 'NANOS';
      return { ...common, type: 'INT64', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: type.isUtc, unit } };
    }
    case 'bytes':
      return { ...common, type: 'BYTE_ARRAY' };
    case 'text':
      return { ...common, type: 'BYTE_ARRAY', converted_type: 'UTF8' };
  }
}
