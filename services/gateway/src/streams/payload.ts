/** An execution result as JSON, made once for all who are sent it. */
export class Payload {
  private encoded: Buffer | undefined;

  constructor(readonly text: string) {}

  /** The same in UTF-8; shared, so not to be written to. */
  get bytes(): Buffer {
    return (this.encoded ??= Buffer.from(this.text));
  }
}
