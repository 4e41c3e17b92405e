import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

type Answer = (response: ServerResponse, received: Received) => void;

/** A receiver of webhooks: a real HTTP server that keeps what it got and answers as the test wants. */
export class WebhookReceiver implements AsyncDisposable {
  readonly received: Received[] = [];
  /** How many requests were open at once at most. */
  openMax = 0;
  answer: Answer = (response) => void response.writeHead(204).end();
  private open = 0;

  private readonly server = createServer((request, response) => this.take(request, response));

  static async start(host = '127.0.0.1', port = 0): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver();
    await new Promise<void>((resolve) => receiver.server.listen(port, host, resolve));
    return receiver;
  }

  /** The server listens on a port, so its address is no path. */
  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** How many requests are open. */
  get openNow(): number {
    return this.open;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private take(request: IncomingMessage, response: ServerResponse): void {
    this.open += 1;
    this.openMax = Math.max(this.openMax, this.open);
    response.on('close', () => (this.open -= 1));
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const received = { headers: request.headers, body: Buffer.concat(chunks).toString() };
      this.received.push(received);
      this.answer(response, received);
    });
  }
}
