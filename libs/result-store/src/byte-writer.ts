/** Shorter than this, bytes are copied sooner one by one than by a call. */
const copiedByCallBytes = 40;

/** Puts bytes one behind the other, in memory that grows with them. */
export class ByteWriter {
  private bytes: Buffer;
  private used = 0;

  /** @param bytes about as many as will be written */
  constructor(bytes: number) {
    this.bytes = Buffer.allocUnsafe(Math.max(Math.ceil(bytes), 64));
  }

  /** What was written, without the last bytes where so many are not wanted; not copied, so nothing may be written any more. */
  written(without = 0): Buffer {
    return this.bytes.subarray(0, Math.max(this.used - without, 0));
  }

  byte(byte: number): void {
    if (this.used === this.bytes.length) this.grow(1);
    this.bytes[this.used++] = byte;
  }

  copy(source: Buffer, from: number, to: number): void {
    const size = to - from;
    if (this.used + size > this.bytes.length) this.grow(size);
    if (size >= copiedByCallBytes) {
      source.copy(this.bytes, this.used, from, to);
      this.used += size;
    } else {
      for (let at = from; at < to; at++) this.bytes[this.used++] = source[at] ?? 0;
    }
  }

  text(text: string): void {
    // No UTF-16 unit takes more than three bytes.
    const most = text.length * 3;
    if (this.used + most > this.bytes.length) this.grow(most);
    this.used += this.bytes.write(text, this.used);
  }

  /** Takes back the last bytes. */
  drop(count: number): void {
    this.used -= count;
  }

  private grow(size: number): void {
    const larger = Buffer.allocUnsafe(Math.max(this.used + size, this.bytes.length * 2));
    this.bytes.copy(larger, 0, 0, this.used);
    this.bytes = larger;
  }
}
