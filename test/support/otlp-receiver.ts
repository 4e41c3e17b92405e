import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

export interface Span {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  service: string;
  attributes: Record<string, unknown>;
}

interface OtlpAttribute {
  key: string;
  value: Record<string, unknown>;
}

interface OtlpBody {
  resourceSpans?: {
    resource?: { attributes?: OtlpAttribute[] };
    scopeSpans?: {
      spans?: { traceId: string; spanId: string; parentSpanId?: string; name: string; attributes?: OtlpAttribute[] }[];
    }[];
  }[];
}

/** The smallest collector there is: takes spans by POST (OTLP over HTTP, JSON), gives them all back by GET. */
export class OtlpReceiver {
  private readonly spans: Span[] = [];
  private readonly refused: string[] = [];

  private constructor(private readonly server: Server) {}

  static async start(): Promise<OtlpReceiver> {
    const server = createServer();
    const receiver = new OtlpReceiver(server);
    server.on('request', (request, response) => {
      void receiver.answer(request).then(
        (body) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
        (error: unknown) => {
          receiver.refused.push(String(error));
          response.writeHead(400).end();
        },
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    // Listening on TCP, so the address is not a pipe's name.
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1/traces`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage): Promise<unknown> {
    if (request.method === 'GET') return { spans: this.spans, refused: this.refused };
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array));
    const raw = Buffer.concat(chunks);
    const json = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
    // The exporter's own shape.
    this.take(JSON.parse(json.toString()) as OtlpBody);
    return {};
  }

  private take(body: OtlpBody): void {
    for (const { resource, scopeSpans = [] } of body.resourceSpans ?? []) {
      const service = JSON.stringify(plain(resource?.attributes)['service.name'] ?? '');
      for (const { spans = [] } of scopeSpans) {
        for (const { traceId, spanId, parentSpanId = '', name, attributes } of spans) {
          this.spans.push({ traceId, spanId, parentSpanId, name, service, attributes: plain(attributes) });
        }
      }
    }
  }
}

/** The spans that a receiver has, from any process. */
export async function readSpans(url: string): Promise<Span[]> {
  // Answered by OtlpReceiver.
  const { spans, refused } = (await (await fetch(url)).json()) as { spans: Span[]; refused: string[] };
  if (refused.length > 0) throw new Error(`spans that could not be read: ${refused.join('; ')}`);
  return spans;
}

function plain(attributes: OtlpAttribute[] = []): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
