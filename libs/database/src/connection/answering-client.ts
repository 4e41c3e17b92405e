import type { Socket } from 'node:net';
import pg from 'pg';

export interface AnswerSettings {
  /** So long a server may say nothing while it owes an answer; 0 is for as long as it takes. */
  readonly answerMs?: number;
}

/** More than a server takes for a statement by its own bound, after which it answers with an error. */
const answerMsDefault = 18_000;

/**
 * A kind of client for node-postgres's pool that does not wait for a server that has vanished from the network. Such a server ends no
 * connection, and the system sends what was asked again and again for a quarter of an hour; keep-alive begins only when all
 * that was sent has been received. So the connection is ended, by which what waits fails as with any lost connection, and the
 * pool gets rid of it. The time is the socket's own, which costs a statement nothing. The `query_timeout` of node-postgres would
 * cost it a timer, and hand the dead connection to whoever asks next.
 */
export class AnsweringClient extends pg.Client {
  /** Of node-postgres, whose types leave it out: false while a statement is under way. */
  declare readonly readyForQuery: boolean;

  constructor(config?: string | (pg.ClientConfig & AnswerSettings)) {
    super(config);
    const { answerMs = answerMsDefault } = typeof config === 'object' ? config : {};
    this.once('connect', () => {
      // What node-postgres opens is a socket, or TLS over one, which is a socket as well.
      const socket = this.connection.stream as Socket;
      socket.setTimeout(answerMs);
      socket.on('timeout', () => {
        if (this.readyForQuery) return;
        const error = new Error(`the database has not answered for ${answerMs / 1_000} s`);
        socket.destroy(Object.assign(error, { code: 'ETIMEDOUT' }));
      });
    });
  }
}
