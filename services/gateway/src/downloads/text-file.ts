import { ByteWriter, releaseBuffers } from '#libs/result-store';
import type { PartEnds } from './byte-places.store.js';
import type { ResultPages } from './result-pages.js';
import type { TextWriter } from './text-writer.js';

/**
 * A text file that is written as it is read, from any byte on. It has a part for its head, one for each page and one for
 * its tail, and only the part in which a reader begins is written in vain.
 */
export class TextFile {
  readonly partCount: number;

  constructor(
    private readonly pages: ResultPages,
    private readonly writer: TextWriter,
    private readonly ends: PartEnds,
  ) {
    this.partCount = pages.pages.length + 2;
  }

  /** The length in bytes, or undefined where the file has never been written to its end. */
  get knownLength(): number | undefined {
    return this.ends[this.partCount - 1];
  }

  /** The length in bytes; what has never been written is written for nobody. */
  async length(signal: AbortSignal): Promise<number> {
    while (this.ends.length < this.partCount) {
      for await (const _piece of this.part(this.ends.length)) signal.throwIfAborted();
    }
    return this.ends[this.partCount - 1] ?? 0;
  }

  /** The bytes from `from` up to but not including `to`; to its end where that is not given. */
  async *read(from = 0, to = Infinity): AsyncGenerator<Uint8Array, void, undefined> {
    const first = Math.max(
      this.ends.findIndex((end) => end > from),
      0,
    );
    let at = first === 0 ? 0 : (this.ends[first - 1] ?? 0);
    for (let number = first; number < this.partCount && at < to; number++) {
      for await (const piece of this.part(number)) {
        const wanted = piece.subarray(Math.max(from - at, 0), Math.max(to - at, 0));
        at += piece.byteLength;
        if (wanted.byteLength > 0) yield wanted;
        if (at >= to) return;
      }
    }
  }

  /** One part; its end becomes known with its last piece. */
  private async *part(number: number): AsyncGenerator<Buffer, void, undefined> {
    let length = 0;
    for await (const piece of this.piecesOf(number)) {
      length += piece.byteLength;
      yield piece;
    }
    if (this.ends.length === number) this.ends.push((this.ends[number - 1] ?? 0) + length);
  }

  private async *piecesOf(number: number): AsyncGenerator<Buffer, void, undefined> {
    if (number === 0) yield Buffer.from(this.writer.head);
    else if (number === this.partCount - 1) yield Buffer.from(this.writer.tail);
    else yield* this.piecesOfPage(number - 1);
  }

  private async *piecesOfPage(number: number): AsyncGenerator<Buffer, void, undefined> {
    const firstRow = this.pages.pages[number]?.firstRow ?? 0;
    const reader = this.pages.rowReader();
    using loan = await this.pages.open(number);
    const { page } = loan;
    let pieceBytes = 0;
    for await (const { from, to } of this.pages.spansIn(page)) {
      // A piece takes about as much as the one before it; the first one as much as its rows.
      const out = new ByteWriter(pieceBytes || page.endOf(to - 1) - page.beginOf(from));
      for (let row = from; row < to; row++) {
        reader.read(page.content, page.beginOf(row), page.endOf(row));
        this.writer.row(reader, out, firstRow + row);
      }
      const piece = out.written();
      pieceBytes = piece.byteLength;
      yield piece;
      releaseBuffers(pieceBytes);
    }
  }
}
