import { randomInt } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';

const lowest = 10_000;

/**
 * Ports of 127.0.0.1 that were free a moment ago, all different. None is of those that the system gives to connections that go
 * out, unless it gives nearly all: one of them could be taken while a service that listened there is started anew, even by
 * whoever looks for that service and is then connected to itself.
 */
export async function freePorts(count: number): Promise<number[]> {
  const end = firstOutgoing();
  const taken: Server[] = [];
  try {
    while (taken.length < count) {
      const server = await listenAt(randomInt(lowest, end));
      if (server) taken.push(server);
    }
    return taken.map((server) => (server.address() as AddressInfo).port);
  } finally {
    await Promise.all(taken.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

/** 32768 is Linux's own; others begin higher. */
function firstOutgoing(): number {
  const setting = '/proc/sys/net/ipv4/ip_local_port_range';
  const first = existsSync(setting) ? Number.parseInt(readFileSync(setting, 'utf8'), 10) : 32_768;
  // Where hardly any are left below, the race is the lesser evil.
  return first > 2 * lowest ? first : 65_536;
}

/** Undefined where it is another's. */
function listenAt(port: number): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(undefined);
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

export async function isPortFree(port: number): Promise<boolean> {
  const server = await listenAt(port);
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  return server !== undefined;
}
