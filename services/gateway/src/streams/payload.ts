/** An execution result as JSON, made once for all who are sent it; with rows in it, of bytes from the start. */
export class Payload {
  private oneLine: Buffer | undefined;

  constructor(private form: string | Buffer) {}

  get text(): string {
    return this.form.toString();
  }

  /** On one line, for who frames by lines: what a source has as JSON keeps the breaks between its tokens. */
  get line(): Buffer {
    return (this.oneLine ??= withoutBreaks(this.bytes));
  }

  /** In UTF-8; shared, so not to be written to. */
  get bytes(): Buffer {
    if (typeof this.form === 'string') this.form = Buffer.from(this.form);
    return this.form;
  }
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;

/** Within a string JSON escapes them, so any that is there is white space. */
function withoutBreaks(json: Buffer): Buffer {
  if (!json.includes(lineFeed) && !json.includes(carriageReturn)) return json;
  // What is made of a Buffer is one too.
  return json.map((byte) => (byte === lineFeed || byte === carriageReturn ? space : byte)) as Buffer;
}
