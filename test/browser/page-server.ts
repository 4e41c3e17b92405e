import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const types: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript' };
const page = fileURLToPath(new URL('.', import.meta.url));
const graphqlWs = join(page, '../../node_modules/graphql-ws/dist');

/** Serves the page of this folder with the client library, as any web server would. */
export class PageServer implements AsyncDisposable {
  private constructor(private readonly server: Server) {}

  static async start(): Promise<PageServer> {
    const server = createServer((request, response) => {
      const path = normalize(new URL(request.url ?? '/', 'http://page').pathname);
      const file = path.startsWith('/graphql-ws/') ? join(graphqlWs, path.slice(11)) : join(page, path);
      readFile(file).then(
        (content) => response.writeHead(200, { 'content-type': types[extname(file)] ?? 'text/plain' }).end(content),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new PageServer(server);
  }

  /** It listens on a port, so its address is no path. */
  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
