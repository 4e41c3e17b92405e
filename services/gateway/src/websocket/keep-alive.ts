import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { Uptake } from '../streams/uptake.js';

/** A ping's own frame moves bytes too, which are no life of the other end. */
const frameBytesMax = 125;

/**
 * Pings a socket and ends it when it shows no life for a whole interval. Life is any byte from the other end, and any
 * amount that it took, so that a client which reads a long row slowly is not taken for a dead one.
 */
export function keepAlive(socket: WebSocket, connection: Socket, intervalMs: number): () => void {
  let read = -1;
  const uptake = new Uptake(connection);
  const timer = setInterval(() => {
    const taken = uptake.sinceLast();
    if (connection.bytesRead === read && taken <= frameBytesMax) {
      socket.terminate();
      return;
    }
    read = connection.bytesRead;
    if (socket.readyState === socket.OPEN) socket.ping();
  }, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}
