import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server';

/** A real SMTP server that keeps what it takes, and refuses or delays where a test says so. */
export class MailServer {
  private readonly mails: { to: string; text: string }[] = [];
  private refusal: number | undefined;
  private delayMs = 0;
  private readonly server: SMTPServer;

  private constructor() {
    this.server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      onRcptTo: (_address, _session, done) => {
        const { refusal } = this;
        done(refusal === undefined ? null : Object.assign(new Error('not now'), { responseCode: refusal }));
      },
      onData: (stream, session, done) => {
        void this.take(stream, session, done);
      },
    });
  }

  static async start(): Promise<MailServer> {
    const started = new MailServer();
    await new Promise<void>((resolve) => started.server.listen(0, '127.0.0.1', resolve));
    return started;
  }

  get url(): string {
    // A server that listens on TCP has an address of this kind.
    const { port } = this.server.server.address() as AddressInfo;
    return `smtp://127.0.0.1:${port}`;
  }

  /** The texts of the mails to an address, the oldest first. */
  sentTo(email: string): string[] {
    return this.mails.filter(({ to }) => to === email).map(({ text }) => text);
  }

  refuse(code: number): void {
    this.refusal = code;
  }

  accept(): void {
    this.refusal = undefined;
  }

  /** How long each mail takes from now on. */
  delay(ms: number): void {
    this.delayMs = ms;
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => void this.server.close(resolve));
  }

  private async take(stream: SMTPServerDataStream, session: SMTPServerSession, done: () => void): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
    await new Promise((resolve) => setTimeout(resolve, this.delayMs));
    // Long lines are folded by quoted-printable.
    const text = Buffer.concat(chunks).toString('utf8').replaceAll('=\r\n', '').replaceAll('=3D', '=');
    for (const { address } of session.envelope.rcptTo) this.mails.push({ to: address, text });
    done();
  }
}
