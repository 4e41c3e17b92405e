import type { Request, Response } from 'express';
import type { SessionConnection } from '../sessions/session.js';
import type { Payload } from '../streams/payload.js';
import { Uptake } from '../streams/uptake.js';

/** A client that does not read what is in front of the end is cut off. */
const closeMs = 5_000;

/**
 * The answer to one request as a stream of server-sent events, in the words of graphql-sse's distinct connections. A
 * stream that ends without `complete` is one that the client comes back for.
 */
export class EventStream implements SessionConnection {
  private readonly uptake: Uptake;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly request: Request,
    private readonly response: Response,
    keepAliveMs: number,
  ) {
    this.uptake = new Uptake(request.socket);
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // Some proxies hold answers back until they are whole.
      'x-accel-buffering': 'no',
    });
    // Some browsers do not call an answer begun before its first byte.
    response.write(':\n\n');
    this.timer = setInterval(() => this.keepAlive(), keepAliveMs);
    this.timer.unref();
    response.once('close', () => clearInterval(this.timer));
  }

  /** The payload's bytes are shared by all who are sent it. */
  next({ line }: Payload): void {
    this.response.cork();
    this.write('event: next\ndata: ');
    this.write(line);
    this.write('\n\n');
    this.response.uncork();
  }

  complete(): void {
    this.write('event: complete\ndata:\n\n');
    this.response.end();
  }

  /** There are no close codes in HTTP; a comment says why to whoever looks. */
  close(code: number, reason: string): void {
    this.write(`: closed ${code} ${reason}\n\n`);
    this.response.end();
    setTimeout(() => this.response.destroy(), closeMs).unref();
  }

  onceClosed(leave: () => void): void {
    if (this.response.closed) leave();
    else this.response.once('close', leave);
  }

  private write(text: string | Buffer): void {
    if (!this.response.writableEnded && !this.response.destroyed) this.response.write(text);
  }

  /** Ends a stream whose client has taken nothing of what waits for it since the last time. */
  private keepAlive(): void {
    const isWaiting = this.request.socket.writableLength > 0;
    if (this.uptake.sinceLast() <= 0 && isWaiting) this.response.destroy();
    else this.write(':\n\n');
  }
}
