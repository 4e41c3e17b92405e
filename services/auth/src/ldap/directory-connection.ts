import { connect as connectPlain, isIP, type Socket, type TcpNetConnectOpts } from 'node:net';
import { connect as connectEncrypted, type ConnectionOptions } from 'node:tls';
import { Client, InvalidCredentialsError, type ClientOptions, type Entry, type SearchOptions } from 'ldapts';
import type { NetworkGuard } from '#libs/outbound';
import type { LdapOptions } from './ldap-options.js';

type Address = Pick<LdapOptions, 'certificateAuthority' | 'startTls' | 'url'>;
type Reach = Pick<TcpNetConnectOpts, 'autoSelectFamily' | 'lookup'>;

export interface DirectoryLimits {
  readonly guard: NetworkGuard;
  /** For connecting, and for each answer. */
  readonly timeoutMs: number;
  /** Ends all that the connection waits for. */
  readonly signal: AbortSignal;
}

/**
 * One connection to a directory, which is encrypted before anything is said on it. It is never made again: the client would
 * come back without StartTLS and say the next password in clear.
 */
export class DirectoryConnection implements AsyncDisposable {
  private socket: Socket | undefined;
  private readonly client: Client;
  private readonly encryption: ConnectionOptions;

  private constructor(
    { url, certificateAuthority }: Address,
    private readonly reach: Reach,
    timeoutMs: number,
    private readonly signal: AbortSignal,
  ) {
    const host = hostOf(url);
    this.encryption = {
      host,
      minVersion: 'TLSv1.2',
      ...(isIP(host) ? {} : { servername: host }),
      ...(certificateAuthority === undefined ? {} : { ca: certificateAuthority }),
    };
    this.client = new Client({
      url,
      timeout: timeoutMs,
      connectTimeout: timeoutMs,
      ...(isEncryptedAtOnce(url) ? this.encryptedFromTheBeginning() : this.plainAtFirst()),
    });
  }

  static async open(address: Address, { guard, timeoutMs, signal }: DirectoryLimits): Promise<DirectoryConnection> {
    const { url } = address;
    const startsTls = !isEncryptedAtOnce(url) && address.startTls !== false;
    // The guard knows of protocols whether they are encrypted.
    const asHttp = new URL(`${isEncryptedAtOnce(url) || startsTls ? 'https' : 'http'}://${new URL(url).hostname}`);
    const { autoSelectFamily, lookup } = await inTime(guard.optionsFor(asHttp), signal);
    const connection = new DirectoryConnection(address, { autoSelectFamily, lookup }, timeoutMs, signal);
    try {
      if (startsTls) await connection.startTls();
    } catch (error) {
      await connection.close();
      throw error;
    }
    return connection;
  }

  /** False where the directory says that the name and the password do not belong together. */
  async bind(name: string, password: string): Promise<boolean> {
    // A directory takes a name without a password for anonymous, and says yes.
    if (name === '' || password === '') return false;
    this.refuseIfBroken();
    try {
      await inTime(this.client.bind(name, password), this.signal);
      return true;
    } catch (error) {
      if (error instanceof InvalidCredentialsError) return false;
      throw error;
    }
  }

  async search(base: string, options: SearchOptions): Promise<Entry[]> {
    this.refuseIfBroken();
    return (await inTime(this.client.search(base, options), this.signal)).searchEntries;
  }

  async close(): Promise<void> {
    const isThere = this.client.isConnected && this.socket?.destroyed === false && !this.signal.aborted;
    if (isThere) await this.client.unbind().catch(() => undefined);
    this.socket?.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async startTls(): Promise<void> {
    await inTime(this.client.startTLS({ ...this.encryption }), this.signal);
  }

  /** The client notices only by waiting in vain. */
  get isBroken(): boolean {
    return this.socket?.destroyed === true;
  }

  private refuseIfBroken(): void {
    if (this.isBroken) throw new Error('the connection to the directory broke');
  }

  /** With these options the client speaks TLS at once, whatever the address says. */
  private encryptedFromTheBeginning(): Partial<ClientOptions> {
    const create = (port: number, host: string, tls: ConnectionOptions) =>
      this.once(() => connectEncrypted({ ...tls, ...this.reach, port, host }));
    // The client calls it so and no other way for ldaps://.
    return { tlsOptions: this.encryption, createSecureConnection: create as typeof connectEncrypted };
  }

  private plainAtFirst(): Partial<ClientOptions> {
    const create = (port: number, host: string) => this.once(() => connectPlain({ ...this.reach, port, host }));
    // As above, for ldap://.
    return { createConnection: create as typeof connectPlain };
  }

  private once<T extends Socket>(connect: () => T): T {
    if (this.socket) throw new Error('the connection to the directory broke');
    const socket = connect();
    this.socket = socket;
    return socket;
  }
}

/** The client waits out its own time, and for ever where the other side is silent in the middle of the handshake. */
function inTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new Error('the directory took too long'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

function isEncryptedAtOnce(url: string): boolean {
  return url.startsWith('ldaps:');
}

function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[(.*)\]$/, '$1');
}
