import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocketServer } from 'ws';

/** What stands for a gateway behind the proxy: it says who it is, and can be taken away and brought back. */
export class TestGateway {
  readonly heads: IncomingMessage[] = [];
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();

  constructor(
    readonly name: string,
    readonly port: number,
  ) {}

  async start(): Promise<void> {
    const server = createServer((request, response) => this.answer(request, response));
    const webSockets = new WebSocketServer({ server, path: '/graphql' });
    webSockets.on('connection', (socket) =>
      socket.on('message', (data: Buffer) => socket.send(`${this.name}: ${data.toString()}`)),
    );
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.server = server;
  }

  /** As a crash: every connection breaks and no new one is taken. */
  async kill(): Promise<void> {
    const gone = new Promise((resolve) => this.server?.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await gone;
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    this.heads.push(request);
    switch (request.url) {
      case '/hold':
        // Answered never: a connection that stays.
        return;
      case '/break':
        request.resume().once('end', () => request.socket.destroy());
        return;
      case '/events':
        // One event, and then nothing for as long as the test looks.
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write('event: next\ndata: {}\n\n');
        return;
      default:
        request.resume().once('end', () => response.end(this.name));
    }
  }
}
