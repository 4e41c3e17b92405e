import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { handleProtocols } from 'graphql-ws';
import { WebSocketServer, type WebSocket } from 'ws';
import { InjectConfig } from '#libs/config';
import { delay } from '#libs/kernel';
import { Lifecycle } from '#libs/service';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { GatewayConfig } from '../gateway.config.js';
import { graphqlPath } from '../http/graphql-path.js';
import { HttpEdge } from '../http/http-edge.js';
import { Origins } from '../http/origins.js';
import { requestIdOf } from '../request/request-scope.js';
import { spliceRowBytes } from '../results/raw-rows.js';
import { GraphqlSocketServer } from './graphql-socket-server.js';
import { keepAlive } from './keep-alive.js';
import { SessionsService } from './sessions.service.js';
import { closeCodes, SocketSession } from './socket-session.js';

/** The most of one message from a client; documents are far smaller. */
const messageBytesMax = 256 * 1024;
/** Sockets are closed over this long when the gateway stops, so that their clients do not all come back at once. */
const spreadMsMax = 3_000;

/** Upgrades at /graphql and carries text between sockets and the protocol. */
@Injectable()
export class WebSocketEdge implements OnApplicationBootstrap {
  private readonly server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: messageBytesMax,
    // Compression costs 250 KiB for each socket, and most of what is sent has been packed and unpacked before.
    perMessageDeflate: false,
    // A protocol that we do not speak is taken, so that the client can be told by a close code.
    handleProtocols: (protocols) => handleProtocols(protocols) || ([...protocols][0] ?? false),
  });
  private readonly origins: Origins;
  private readonly closed;
  private isDraining = false;

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly graphql: GraphqlSocketServer,
    private readonly http: HttpEdge,
    private readonly sessions: SessionsService,
    private readonly logger: AppLogger,
    private readonly lifecycle: Lifecycle,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'http' | 'sockets' | 'service'>,
    metrics: MetricsRegistry,
  ) {
    this.origins = new Origins(config.http.allowedOrigins);
    this.closed = metrics.counter({
      name: 'sockets_closed_total',
      help: 'WebSockets that were closed, by their close code.',
      labels: ['code'],
    });
  }

  onApplicationBootstrap(): void {
    // The gateway listens on HTTP, so its adapter's server is one of node:http.
    const server = this.adapterHost.httpAdapter.getHttpServer() as Server;
    server.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
    this.lifecycle.onDrain('websockets', () => this.drain());
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Until ws takes it over, an error of the socket would be nobody's and end the process.
    socket.on('error', () => socket.destroy());
    const status = this.refusalOf(request);
    if (status !== undefined) {
      socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    this.server.handleUpgrade(request, socket, head, (webSocket) => this.open(webSocket, request));
  }

  private refusalOf(request: IncomingMessage): number | undefined {
    const { url, headers } = request;
    const path = (url ?? '').split('?', 1)[0];
    if (path !== graphqlPath) return 404;
    if (!this.origins.allows(headers.origin, headers.host)) return 403;
    if (this.isDraining || this.sessions.isFull) return 503;
    if (this.sessions.hasTooManyStrangers(this.http.clientAddressOf(request))) return 429;
    return undefined;
  }

  private open(socket: WebSocket, request: IncomingMessage): void {
    const session = new SocketSession(
      socket,
      requestIdOf(request.headers['x-request-id']),
      this.http.clientAddressOf(request),
    );
    this.sessions.add(session);
    const stopPings = keepAlive(socket, request.socket, this.config.sockets.pingSeconds * 1_000);
    const onClosed = this.graphql.protocol.opened(
      {
        protocol: socket.protocol,
        send: (text) => send(socket, spliceRowBytes(text)),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (handle) => socket.on('message', (data) => void this.onMessage(socket, session, handle, data)),
      },
      session,
    );
    // A fault of the connection is followed by its close, which is where it is dealt with.
    socket.on('error', (err) => this.logger.debug({ err, requestId: session.requestId }, 'a socket failed'));
    socket.once('close', (code, reason) => {
      stopPings();
      this.closed.inc({ code: String(code) });
      this.sessions.remove(session);
      session.end();
      onClosed(code, reason.toString()).catch((err: unknown) =>
        this.logger.error({ err }, 'a socket did not end well'),
      );
    });
  }

  private async onMessage(
    socket: WebSocket,
    session: SocketSession,
    handle: (text: string) => Promise<void>,
    data: { toString(): string },
  ): Promise<void> {
    try {
      await handle(data.toString());
    } catch (err) {
      if (session.signal.aborted) return;
      this.logger.error({ err, requestId: session.requestId }, 'a message on a socket could not be handled');
      socket.close(closeCodes.tryAgainLater, 'Try again later');
    }
  }

  /** Takes no more sockets and closes those there are, spread over some seconds; what has been sent still arrives. */
  private async drain(): Promise<void> {
    this.isDraining = true;
    const spreadMs = Math.min(spreadMsMax, this.config.service.drainSeconds * 250);
    await Promise.all(
      this.sessions.open.map(async (session) => {
        await delay(Math.random() * spreadMs);
        session.close(closeCodes.serviceRestart, 'Service restart');
      }),
    );
  }
}

/** Resolves when the text has left the process, which is what holds back a feed whose client is slow. */
function send(socket: WebSocket, text: string | Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    if (socket.readyState !== socket.OPEN) resolve();
    else socket.send(text, { binary: false }, (error) => (error ? reject(error) : resolve()));
  });
}
