import { PassThrough, Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import type { ResultPages, RowMembers } from './result-pages.js';
import { cellTextMax, textCell, xlsxCell } from './xlsx-cells.js';
import { sheetHead, sheetPath, sheetTail, workbookParts } from './xlsx-parts.js';

/** With the line of names. */
const sheetRowsMax = 1_048_576;
const cutsListed = 100;
/** Fixed, so that the same result makes the same file. */
const mtime = new Date(Date.UTC(2000, 0, 1));

/**
 * An Excel workbook, packed as it is written: a sheet for each 1,048,575 rows, and where texts had to be cut, a last one
 * that says which.
 */
export async function* xlsxFile(
  pages: ResultPages,
  rowsMax = sheetRowsMax,
): AsyncGenerator<Uint8Array, void, undefined> {
  const sheets = new SheetWriter(pages, rowsMax);
  const zip = new ZipFile();
  // Yazl writes plain streams; it ends the one that it is read through with the first failure of a part.
  const output = new PassThrough();
  zip.on('error', (error: Error) => output.destroy(error));
  zip.outputStream.on('error', (error: Error) => output.destroy(error));
  zip.outputStream.pipe(output);
  const stopped = new AbortController();
  void addParts(zip, sheets, output, stopped.signal);
  try {
    // A PassThrough without an encoding gives bytes.
    for await (const piece of output) yield piece as Uint8Array;
  } finally {
    stopped.abort();
    await sheets.end();
  }
}

async function addParts(zip: ZipFile, sheets: SheetWriter, output: PassThrough, signal: AbortSignal): Promise<void> {
  const add = (path: string, content: AsyncIterable<string>): Promise<void> =>
    new Promise((resolve, reject) => {
      const part = Readable.from(content, { objectMode: false, signal });
      part.once('end', resolve).once('error', reject);
      zip.addReadStream(part, path, { mtime, compressionLevel: 1 });
    });
  try {
    const names: string[] = [];
    for (; sheets.hasMore; names.push(names.length === 0 ? 'Result' : `Result ${names.length + 1}`)) {
      await add(sheetPath(names.length), sheets.next());
    }
    if (sheets.cutCount > 0) {
      await add(sheetPath(names.length), notes(sheets));
      names.push('Notes');
    }
    for (const [path, text] of Object.entries(workbookParts(names))) {
      zip.addBuffer(Buffer.from(text), path, { mtime });
    }
    zip.end();
  } catch (error) {
    output.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

/** The sheets of a result, one after the other. */
class SheetWriter {
  private readonly rows;
  private readonly cells;
  private readonly letters;
  private left: number;
  private sheetNumber = 0;
  private rest: readonly RowMembers[] = [];
  readonly cuts: string[] = [];
  cutCount = 0;

  constructor(
    private readonly pages: ResultPages,
    private readonly rowsMax: number,
  ) {
    this.rows = pages.chunks();
    this.cells = pages.columns.map(xlsxCell);
    this.letters = pages.columns.map((_, index) => columnLetters(index));
    this.left = pages.rowCount;
  }

  get hasMore(): boolean {
    return this.sheetNumber === 0 || this.left > 0;
  }

  async *next(): AsyncGenerator<string, void, undefined> {
    this.sheetNumber += 1;
    const names = this.pages.columns.map(({ name }, index) => textCell(name, `${this.letters[index]}1`));
    yield `${sheetHead}<row r="1">${names.join('')}</row>`;
    let row = 1;
    while (row < this.rowsMax && this.left > 0) {
      const taken = (await this.someRows()).slice(0, this.rowsMax - row);
      let text = '';
      for (const members of taken) text += this.rowOf(members, ++row);
      this.rest = this.rest.slice(taken.length);
      this.left -= taken.length;
      yield text;
    }
    yield sheetTail;
  }

  /** Gives back the page that it is in, also behind its last row. */
  async end(): Promise<void> {
    await this.rows.return(undefined);
  }

  private async someRows(): Promise<readonly RowMembers[]> {
    if (this.rest.length === 0) {
      const { value, done } = await this.rows.next();
      if (done) throw new Error('there are fewer rows than the result has');
      this.rest = value;
    }
    return this.rest;
  }

  private rowOf(members: RowMembers, row: number): string {
    let text = `<row r="${row}">`;
    for (const [index, cell] of this.cells.entries()) {
      text += cell(members[index] ?? 'null', `${this.letters[index]}${row}`, this.onCut);
    }
    return `${text}</row>`;
  }

  private readonly onCut = (place: string): void => {
    this.cutCount += 1;
    if (this.cuts.length < cutsListed) this.cuts.push(`${this.sheetNumber}: ${place}`);
  };
}

/** Says what the file does not hold, as no reader could find out otherwise. */
async function* notes({ cutCount, cuts }: SheetWriter): AsyncGenerator<string, void, undefined> {
  const message = `A cell holds at most ${cellTextMax} characters. Texts that were cut: ${cutCount}. By sheet and cell:`;
  const rows = [message, ...cuts].map(
    (text, index) => `<row r="${index + 1}">${textCell(text, `A${index + 1}`)}</row>`,
  );
  yield sheetHead + rows.join('') + sheetTail;
}

/** A to Z, AA to ZZ and so on. */
function columnLetters(index: number): string {
  const last = String.fromCharCode(65 + (index % 26));
  return index < 26 ? last : columnLetters(Math.floor(index / 26) - 1) + last;
}
