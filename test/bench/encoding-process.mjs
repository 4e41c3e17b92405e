// Encodes pages of rows in the ways that decision 0026 compares, reads them back as the text of an event, and takes 2 columns
// out of 40. Writes {<encoding>: {encode, read, pick, bytes}}: milliseconds of the processor and bytes, of one page of 40 columns
// (read: of 10). Argument: how many times each is done; the median counts.
import { constants, deflateRawSync, inflateRawSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import * as arrow from 'apache-arrow';
import { RowPicker } from '../../dist/libs/result-store/src/row-picker.js';

const rowCount = 10_000;
const picked = [3, 37];
const times = Number(process.argv[2]);

const flights = await readFlights();

/** Columns as the bench of rows asks for them, over and over; further ones take their values from other rows. */
const kinds = [
  { type: new arrow.TimestampMicrosecond(), of: ({ date }) => date, text: isoText },
  { type: new arrow.Int64(), of: ({ delay }) => BigInt(delay), text: (value) => `"${value}"` },
  { type: new arrow.Int64(), of: ({ distance }) => BigInt(distance), text: (value) => `"${value}"` },
  { type: new arrow.Utf8(), of: ({ origin }) => origin, text: (value) => JSON.stringify(value) },
  { type: new arrow.Utf8(), of: ({ destination }) => destination, text: (value) => JSON.stringify(value) },
  { type: new arrow.TimestampMicrosecond(), of: ({ date, delay }) => date + delay * 60_000, text: isoText },
  { type: new arrow.Float64(), of: ({ distance }) => distance * 1.609344, text: String },
  { type: new arrow.Bool(), of: ({ delay }) => delay > 15, text: String },
  { type: new arrow.Int32(), of: ({ origin }) => origin.length, text: String },
  { type: new arrow.Int32(), of: () => 7, text: String },
];

async function readFlights() {
  const connection = await (await DuckDBInstance.create()).connect();
  const file = new URL('../../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url).pathname;
  const reader = await connection.runAndReadAll(
    `select epoch_ms(date)::double as date, delay::double as delay, distance::double as distance, origin, destination
       from '${file}' limit ${rowCount}`,
  );
  return reader.getRowObjectsJS();
}

function isoText(ms) {
  const text = new Date(ms).toISOString();
  return `"${text.slice(0, 19)}"`;
}

function pageOf(columnCount) {
  const columns = Array.from({ length: columnCount }, (_, index) => kinds[index % kinds.length]);
  const values = columns.map(({ of }, index) =>
    flights.map((_, row) => of(flights[(row + (index - (index % kinds.length)) * 97) % rowCount])),
  );
  const tokens = columns.map(({ text }, index) => values[index].map(text));
  const rows = Array.from({ length: rowCount }, (_, row) => `[${tokens.map((column) => column[row]).join(',')}]`);
  return { columns, values, tokens, rows: rows.map((row) => Buffer.from(row)), text: Buffer.from(rows.join(',')) };
}

/** What the worker has: rows as bytes. Where each ends stands beside the text in every encoding by rows. */
function jsonRows(pack, unpack) {
  return {
    encode: ({ text, rows }) => {
      const lengths = Buffer.allocUnsafe(rows.length * 4);
      rows.forEach((row, index) => lengths.writeUInt32LE(row.length, index * 4));
      return pack(Buffer.concat([lengths, text]));
    },
    read: (bytes) => unpack(bytes).subarray(rowCount * 4),
    pick: (bytes) => {
      const content = unpack(bytes);
      const picker = new RowPicker(picked, content.length / 4);
      let at = rowCount * 4;
      for (let row = 0; row < rowCount; row++) {
        const end = at + content.readUInt32LE(row * 4);
        picker.add(content, at, end);
        at = end + 1;
      }
      return picker.picked;
    },
  };
}

const zstd = (bytes) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
const unzstd = (bytes) => zstdDecompressSync(bytes);

/** A frame for each column, of its tokens with line ends between: two are read without the others, a row is put together. */
const jsonColumns = {
  encode: ({ tokens }) => tokens.map((column) => zstd(Buffer.from(column.join('\n')))),
  read: (frames) => zipped(frames),
  pick: (frames) => zipped(picked.map((index) => frames[index])),
};

function zipped(frames) {
  const columns = frames.map((frame) => unzstd(frame).toString().split('\n'));
  return Buffer.from(columns[0].map((_, row) => `[${columns.map((column) => column[row]).join(',')}]`).join(','));
}

/** From values, which the worker would have to make first; its cost is left out here. */
const arrowStream = {
  encode: ({ columns, values }) => {
    const vectors = columns.map(({ type }, index) => [`c${index}`, arrow.vectorFromArray(values[index], type)]);
    return zstd(arrow.tableToIPC(new arrow.Table(Object.fromEntries(vectors)), 'stream'));
  },
  read: (bytes, { columns }) => jsonOf(arrow.tableFromIPC(unzstd(bytes)), columns, [...columns.keys()]),
  pick: (bytes, { columns }) => jsonOf(arrow.tableFromIPC(unzstd(bytes)), columns, picked),
};

function jsonOf(table, columns, indexes) {
  const texts = indexes.map((index) => {
    const [vector, { text }] = [table.getChildAt(index), columns[index]];
    return Array.from({ length: rowCount }, (_, row) => text(vector.get(row)));
  });
  return Buffer.from(texts[0].map((_, row) => `[${texts.map((column) => column[row]).join(',')}]`).join(','));
}

const same = (bytes) => bytes;
const encodings = {
  'JSON rows, zstd 1': jsonRows(zstd, unzstd),
  'JSON rows, deflate 1': jsonRows((bytes) => deflateRawSync(bytes, { level: 1 }), inflateRawSync),
  'JSON rows, not packed': jsonRows(same, same),
  'JSON by columns, zstd 1 each': jsonColumns,
  'Arrow IPC, zstd 1': arrowStream,
};

function medianMs(work) {
  const taken = Array.from({ length: times }, () => {
    const begun = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1_000;
  });
  return taken.sort((one, other) => one - other)[Math.floor(times / 2)];
}

const [ten, forty] = [pageOf(10), pageOf(40)];
const expected = `[${forty.tokens[picked[0]][0]},${forty.tokens[picked[1]][0]}]`;
const found = Object.entries(encodings).map(([name, { encode, read, pick }]) => {
  const [narrow, wide] = [encode(ten), encode(forty)];
  if (!read(narrow, ten).equals(ten.text)) throw new Error(`${name} reads something else`);
  if (!pick(wide, forty).toString().startsWith(`${expected},`)) throw new Error(`${name} picks something else`);
  const measured = {
    encode: medianMs(() => encode(ten)),
    read: medianMs(() => read(narrow, ten)),
    pick: medianMs(() => pick(wide, forty)),
    bytes: [narrow].flat().reduce((sum, { length }) => sum + length, 0),
  };
  return [name, measured];
});
process.stdout.write(JSON.stringify(Object.fromEntries(found)));
