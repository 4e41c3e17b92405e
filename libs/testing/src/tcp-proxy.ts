import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './free-port.js';

/** A proxy on 127.0.0.1 that can turn into a black hole: connections stay open and nothing passes, as behind a dead link. */
export class TcpProxy implements AsyncDisposable {
  /** How many have been made to it. */
  connections = 0;
  private readonly sockets = new Set<Socket>();
  private readonly links = new Set<{ isDead: boolean }>();
  private isBlackHole = false;

  private constructor(
    readonly port: number,
    private readonly server: Server,
  ) {}

  static async start(targetPort: number): Promise<TcpProxy> {
    const port = await freePort();
    const server = createServer();
    const proxy = new TcpProxy(port, server);
    server.on('connection', (near) => proxy.join(near, connect(targetPort, '127.0.0.1')));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return proxy;
  }

  /** From now on nothing passes, on connections that are open and on new ones. */
  swallow(): void {
    this.isBlackHole = true;
  }

  /** From now on nothing passes on connections that are open, as if another server had taken the place of theirs. */
  swallowOpen(): void {
    for (const link of this.links) link.isDead = true;
  }

  /** New connections pass again; those that were swallowed stay dead. */
  restore(): void {
    this.isBlackHole = false;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private join(near: Socket, far: Socket): void {
    this.connections += 1;
    const link = { isDead: this.isBlackHole };
    this.links.add(link);
    near.on('close', () => this.links.delete(link));
    const pass = (from: Socket, to: Socket): void => {
      this.sockets.add(from);
      from.on('data', (chunk) => {
        link.isDead ||= this.isBlackHole;
        if (!link.isDead) to.write(chunk);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
    };
    pass(near, far);
    pass(far, near);
  }
}
