/** An execution result as JSON, made once for all who are sent it; with rows in it, of bytes from the start. */
export class Payload {
  constructor(private form: string | Buffer) {}

  get text(): string {
    return this.form.toString();
  }

  /** In UTF-8; shared, so not to be written to. */
  get bytes(): Buffer {
    if (typeof this.form === 'string') this.form = Buffer.from(this.form);
    return this.form;
  }
}
