import type { DownloadChoice, DownloadFormat } from './download-choice.js';
import { delimitedWriter } from './delimited-writer.js';
import { jsonWriter, ndjsonWriter } from './json-writer.js';
import type { ResultPages } from './result-pages.js';
import type { TextWriter } from './text-writer.js';

interface FormatCommon {
  readonly extension: string;
  readonly contentType: string;
}

/** Rows one after the other: the same bytes can be made again from any place on, so a broken download can be resumed. */
export interface TextFormat extends FormatCommon {
  readonly kind: 'text';
  writer(pages: ResultPages, choice: DownloadChoice): TextWriter;
}

/** A file whose later bytes depend on the earlier ones. Its library is loaded when it is first asked for. */
export interface FileFormat extends FormatCommon {
  readonly kind: 'file';
  /** Whether packing it once more gains nothing. */
  readonly isPacked: boolean;
  write(pages: ResultPages): AsyncGenerator<Uint8Array, void, undefined>;
}

const text = (extension: string, contentType: string, writer: TextFormat['writer']): TextFormat => ({
  kind: 'text',
  extension,
  contentType: `${contentType}; charset=utf-8`,
  writer,
});

export const formats: Readonly<Record<DownloadFormat, TextFormat | FileFormat>> = {
  CSV: text('csv', 'text/csv', ({ columns }, { escapesFormulas }) =>
    delimitedWriter(columns, { delimiter: ',', escapesFormulas }),
  ),
  TSV: text('tsv', 'text/tab-separated-values', ({ columns }, { escapesFormulas }) =>
    delimitedWriter(columns, { delimiter: '\t', escapesFormulas }),
  ),
  JSON: text('json', 'application/json', ({ columns }) => jsonWriter(columns)),
  NDJSON: text('ndjson', 'application/x-ndjson', ({ columns }) => ndjsonWriter(columns)),
  XLSX: {
    kind: 'file',
    extension: 'xlsx',
    contentType: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    isPacked: true,
    async *write(pages) {
      const { xlsxFile } = await import('./xlsx-file.js');
      yield* xlsxFile(pages);
    },
  },
  PARQUET: {
    kind: 'file',
    extension: 'parquet',
    contentType: 'application/vnd.apache.parquet',
    isPacked: true,
    async *write(pages) {
      const { parquetFile } = await import('./parquet-file.js');
      yield* parquetFile(pages);
    },
  },
  ARROW: {
    kind: 'file',
    extension: 'arrows',
    contentType: 'application/vnd.apache.arrow.stream',
    isPacked: false,
    async *write(pages) {
      const { arrowFile } = await import('./arrow-file.js');
      yield* arrowFile(pages);
    },
  },
};
