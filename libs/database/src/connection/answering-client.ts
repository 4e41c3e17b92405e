import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import pg from 'pg';
import { isStillAtWork } from './still-at-work.js';

export interface AnswerSettings {
  /** So long a server may say nothing while it owes an answer, before it is asked whether it is there; 0 is for as long as it takes. */
  readonly answerMs: number;
  /** False behind a pooler, where the process of the server that owes an answer is not the one that the connection names. */
  readonly keepsSession?: boolean;
}

/**
 * A kind of client for node-postgres's pool that does not wait for a server that has vanished from the network. Such a server ends no
 * connection, and the system sends what was asked again and again for a quarter of an hour; keep-alive begins only when all
 * that was sent has been received. So the connection is ended, by which what waits fails as with any lost connection, and the
 * pool gets rid of it. The time is the socket's own, which costs a statement nothing. The `query_timeout` of node-postgres would
 * cost it a timer, and hand the dead connection to whoever asks next. A server that is there is waited for: it would keep its side
 * of a connection that was ended here until its commit comes through, and have another one to serve.
 */
export class AnsweringClient extends pg.Client {
  /** Of node-postgres, whose types leave them out: false while a statement is under way; the server's process. */
  declare readonly readyForQuery: boolean;
  declare readonly processID: number | null;
  private readonly answerMs: number;
  private readonly keepsSession: boolean;

  /** The types of the pool know nothing of the config, which it always gives. */
  constructor(config?: pg.ClientConfig & AnswerSettings) {
    super(config);
    this.answerMs = config?.answerMs ?? 0;
    this.keepsSession = config?.keepsSession ?? true;
    this.once('connect', () => {
      // What node-postgres opens is a socket, or TLS over one, which is a socket as well.
      const socket = this.connection.stream as Socket;
      socket.setTimeout(this.answerMs);
      socket.on('timeout', () => void this.doubt(socket));
    });
  }

  private async doubt(socket: Socket): Promise<void> {
    // What is asked from now on is not yet owed for long; it sets the socket's time anew.
    if (this.readyForQuery) return;
    const { bytesRead } = socket;
    const owes = (): boolean => !this.readyForQuery && !socket.destroyed && socket.bytesRead === bytesRead;
    // Where this process has stood still, its timers come before what has arrived meanwhile.
    await setImmediate();
    if (!owes()) return;
    const { host, port, user, database, password, ssl, answerMs } = this;
    const settings = { host, port, user, database, password, ssl };
    const processId = this.keepsSession ? (this.processID ?? undefined) : undefined;
    const isThere = await isStillAtWork({ settings, processId, silentMs: answerMs });
    if (!owes()) return;
    if (isThere) {
      socket.setTimeout(answerMs);
      return;
    }
    const error = new Error(`the database has not answered for ${answerMs / 1_000} s`);
    socket.destroy(Object.assign(error, { code: 'ETIMEDOUT' }));
  }
}
