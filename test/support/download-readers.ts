import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import * as arrow from 'apache-arrow';
import ExcelJS from 'exceljs';
import type { DownloadFormat } from './downloads.js';

export interface ReadColumn {
  name: string;
  type: string;
}

type Read = (bytes: Buffer, columns: readonly ReadColumn[]) => Promise<unknown[][]>;

/**
 * Readers that know nothing of how Sluice writes. Each gives rows of comparable values: see `comparable`, to which the
 * rows of the API come too.
 */
export const readers: Readonly<Record<DownloadFormat, Read>> = {
  CSV: (bytes, columns) => delimited(bytes, columns, 'csv', ','),
  TSV: (bytes, columns) => delimited(bytes, columns, 'tsv', '\t'),
  JSON: (bytes, columns) => json(bytes, columns, 'array'),
  NDJSON: (bytes, columns) => json(bytes, columns, 'newline_delimited'),
  PARQUET: (bytes, columns) =>
    duckdb(bytes, 'parquet', (file) => `select ${columns.map(parquetColumn).join(', ')} from read_parquet(${file})`),
  ARROW: async (bytes, columns) => readArrow(bytes, columns),
  XLSX: readXlsx,
};

/** A value in the one form in which values of all readers and of the API are compared. */
export function comparable(type: string, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (type === 'JSON' || type === 'ARRAY') return typeof value === 'string' ? (JSON.parse(value) as unknown) : value;
  const text = textOf(value);
  switch (type) {
    case 'FLOAT':
    case 'INTEGER':
      return text === '' ? text : String(Number(text));
    case 'BOOLEAN':
      return text;
    case 'DECIMAL':
      return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
    case 'TIMESTAMP':
    case 'TIMESTAMP_TZ':
      return text
        .replace(' ', 'T')
        .replace(/\+00$/, '+00:00')
        .replace(/(\.\d*?)0+(?=\+|$)/, '$1')
        .replace(/\.(?=\+|$)/, '');
    default:
      return text;
  }
}

/** Readers make nothing else of values whose type is none of the nested ones. */
function textOf(value: unknown): string {
  return String(value);
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function delimited(bytes: Buffer, columns: readonly ReadColumn[], extension: string, delimiter: string) {
  const types = columns.map(({ name }) => `'${name.replaceAll("'", "''")}': 'varchar'`).join(', ');
  return duckdb(
    bytes,
    extension,
    (file) =>
      `select * from read_csv(${file}, delim = '${delimiter}', header = true, quote = '"', escape = '"', nullstr = '',
         allow_quoted_nulls = false, auto_detect = false, new_line = '\\r\\n', columns = {${types}})`,
  );
}

function json(bytes: Buffer, columns: readonly ReadColumn[], format: string): Promise<unknown[][]> {
  const types = columns
    .map(({ name, type }) => `'${name}': '${type === 'JSON' || type === 'ARRAY' ? 'json' : 'varchar'}'`)
    .join(', ');
  return duckdb(
    bytes,
    'json',
    (file) => `select * from read_json(${file}, format = '${format}', columns = {${types}})`,
  );
}

function parquetColumn({ name, type }: ReadColumn): string {
  if (type === 'BYTES') return `to_base64(${quoted(name)}) as ${quoted(name)}`;
  return type === 'FLOAT' ? quoted(name) : `${quoted(name)}::varchar as ${quoted(name)}`;
}

async function duckdb(bytes: Buffer, extension: string, query: (file: string) => string): Promise<unknown[][]> {
  const file = join(tmpdir(), `sluice-download-${randomUUID()}.${extension}`);
  await writeFile(file, bytes);
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    await connection.run("set timezone = 'UTC'");
    const reader = await connection.runAndReadAll(query(`'${file}'`));
    return reader.getRows();
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(file, { force: true });
  }
}

function readArrow(bytes: Buffer, columns: readonly ReadColumn[]): unknown[][] {
  const rows: unknown[][] = [];
  for (const batch of arrow.RecordBatchReader.from(bytes)) {
    for (let index = 0; index < batch.numRows; index++) {
      rows.push(columns.map((_, place) => arrowValue(batch.getChildAt(place), index)));
    }
  }
  return rows;
}

/** The stored value, not what the reader makes of it: a Date of JavaScript has no microseconds. */
function arrowValue(vector: arrow.Vector | null, index: number): unknown {
  if (!vector?.isValid(index)) return null;
  const { type } = vector;
  const [data] = vector.data;
  const stored: unknown = data?.values?.[index];
  if (arrow.DataType.isDecimal(type)) return decimalText(data?.values as Uint32Array, index, type.scale);
  if (arrow.DataType.isDate(type)) return new Date(Number(stored) * 86_400_000).toISOString().slice(0, 10);
  if (arrow.DataType.isTime(type)) return timeText(stored as bigint, 6).slice(11);
  if (arrow.DataType.isTimestamp(type)) {
    const text = timeText(stored as bigint, type.unit === arrow.TimeUnit.MICROSECOND ? 6 : 9);
    return type.timezone === 'UTC' ? `${text}+00:00` : text;
  }
  const value: unknown = vector.get(index);
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}

function decimalText(words: Uint32Array, index: number, scale: number): string {
  const [a = 0, b = 0, c = 0, d = 0] = words.subarray(index * 4, index * 4 + 4);
  const unsigned = (BigInt(d) << 96n) | (BigInt(c) << 64n) | (BigInt(b) << 32n) | BigInt(a);
  const value = BigInt.asIntN(128, unsigned);
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return value < 0n ? `-${text}` : text;
}

function timeText(value: bigint, digits: number): string {
  const unit = 10n ** BigInt(digits);
  const seconds = value / unit - (value % unit < 0n ? 1n : 0n);
  const fraction = (value - seconds * unit).toString().padStart(digits, '0').replace(/0+$/, '');
  return new Date(Number(seconds) * 1_000).toISOString().slice(0, 19) + (fraction === '' ? '' : `.${fraction}`);
}

async function readXlsx(bytes: Buffer, columns: readonly ReadColumn[]): Promise<unknown[][]> {
  const workbook = new ExcelJS.Workbook();
  // The library's Buffer is that of an older Node.
  await workbook.xlsx.load(bytes as unknown as Parameters<typeof workbook.xlsx.load>[0]);
  const rows: unknown[][] = [];
  for (const sheet of workbook.worksheets) {
    if (sheet.name === 'Notes') continue;
    for (let number = 2; number <= sheet.rowCount; number++) {
      const row = sheet.getRow(number);
      rows.push(columns.map(({ type }, index) => xlsxValue(type, row.getCell(index + 1).value)));
    }
  }
  return rows;
}

function xlsxValue(type: string, value: ExcelJS.CellValue): unknown {
  if (value instanceof Date)
    return type === 'DATE' ? value.toISOString().slice(0, 10) : value.toISOString().slice(0, 23);
  if (value !== null && typeof value === 'object' && 'richText' in value) {
    return value.richText.map(({ text }) => text).join('');
  }
  return typeof value === 'string' ? value.replace(/_x([0-9A-F]{4})_/g, (_, hex: string) => unescaped(hex)) : value;
}

function unescaped(hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16));
}
