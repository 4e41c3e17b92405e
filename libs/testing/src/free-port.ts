import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Linux gives ports from 32768 on to connections that go out. Such a one could be taken while a server that listened there is
// started anew, even by a client that looks for that server: it would be connected to itself.
const lowest = 10_000;
const firstOutgoing = 32_768;

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(lowest, firstOutgoing);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
