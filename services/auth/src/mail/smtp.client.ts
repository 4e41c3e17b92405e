import { Injectable } from '@nestjs/common';
import type { Transporter } from 'nodemailer';
import { InjectConfig } from '#libs/config';
import type { AuthConfig } from '../auth.config.js';

export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** A server that says nothing is given up after these. */
const timeouts = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 20_000 } as const;

/** The mail server, where the settings name one. */
@Injectable()
export class SmtpClient {
  private transporter: Transporter | undefined;

  constructor(@InjectConfig() private readonly config: Pick<AuthConfig, 'mail'>) {}

  get isConfigured(): boolean {
    return this.config.mail.smtpUrl !== undefined;
  }

  /** Resolves when the server has taken it. */
  async send({ to, subject, text }: Mail): Promise<void> {
    const transporter = await this.connection();
    // An object, so that nothing in an address is read as a second one.
    await transporter.sendMail({ from: this.config.mail.from, to: { name: '', address: to }, subject, text });
  }

  private async connection(): Promise<Transporter> {
    const { smtpUrl } = this.config.mail;
    if (smtpUrl === undefined) throw new Error('there is no mail server in the settings');
    // Loaded with the first mail: most installations sign in by other ways.
    const { createTransport } = await import('nodemailer');
    return (this.transporter ??= createTransport({
      url: smtpUrl,
      ...timeouts,
      disableFileAccess: true,
      disableUrlAccess: true,
    }));
  }
}

/** Whether the mail server has refused this recipient for good; all else may be better later. */
export function isRefusedForGood(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error) || !('responseCode' in error)) return false;
  const { code, responseCode } = error;
  return code === 'EENVELOPE' && typeof responseCode === 'number' && responseCode >= 500;
}
