import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { handleProtocols } from 'graphql-ws';
import { WebSocketServer, type WebSocket } from 'ws';
import { InjectConfig } from '#libs/config';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { GatewayConfig } from '../gateway.config.js';
import { graphqlPath } from '../http/graphql-path.js';
import { HttpEdge } from '../http/http-edge.js';
import { Origins } from '../http/origins.js';
import { BrowserCredentials } from '../identity/browser-credentials.js';
import { requestIdOf } from '../request/request-scope.js';
import { spliceRowBytes } from '../results/raw-rows.js';
import { closeCodes, Session } from '../sessions/session.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { ConnectionRoom } from '../streams/connection-room.js';
import { GraphqlSocketServer } from './graphql-socket-server.js';
import { keepAlive } from './keep-alive.js';
import { writeTextFrame } from './text-frame.js';

/** The most of one message from a client; documents are far smaller. */
const messageBytesMax = 256 * 1024;
/** A client that does not read what is in front of the close frame is cut off. */
const closeMs = 5_000;

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

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly graphql: GraphqlSocketServer,
    private readonly http: HttpEdge,
    private readonly sessions: SessionsService,
    private readonly browsers: BrowserCredentials,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'http' | 'sockets'>,
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
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Until ws takes it over, an error of the socket would be nobody's and end the process.
    socket.on('error', () => socket.destroy());
    const status = this.refusalOf(request);
    if (status !== undefined) {
      socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    this.server.handleUpgrade(request, socket, head, (webSocket) => {
      if (this.sessions.refusalOf(this.http.clientAddressOf(request)) === undefined) this.open(webSocket, request);
      else this.sendAway(webSocket);
    });
  }

  /** By a close code, as most clients take a handshake that is refused for an error that lasts. */
  private sendAway(socket: WebSocket): void {
    socket.on('error', () => undefined);
    close(socket, closeCodes.tryAgainLater, 'Try again later');
    this.closed.inc({ code: String(closeCodes.tryAgainLater) });
  }

  private refusalOf(request: IncomingMessage): number | undefined {
    const { url, headers } = request;
    const path = (url ?? '').split('?', 1)[0];
    if (path !== graphqlPath) return 404;
    return this.origins.allows(headers.origin, headers.host) ? undefined : 403;
  }

  private open(socket: WebSocket, request: IncomingMessage): void {
    const { socket: connection } = request;
    const session = new Session(
      { close: (code, reason) => close(socket, code, reason) },
      new ConnectionRoom(connection, this.config.sockets.bufferBytesMax),
      requestIdOf(request.headers['x-request-id']),
      this.http.clientAddressOf(request),
      request.headers['user-agent'],
      this.browsers.ofUpgrade(request),
    );
    this.sessions.add(session);
    const stopPings = keepAlive(socket, connection, this.config.sockets.pingSeconds * 1_000);
    const onClosed = this.graphql.protocol.opened(
      {
        protocol: socket.protocol,
        send: (text) => {
          const message = spliceRowBytes(text);
          if (!this.sessions.mayWrite(session)) return Promise.resolve();
          const sent = send(socket, message);
          this.sessions.wrote(session);
          return sent;
        },
        close: (code = closeCodes.tryAgainLater, reason = '') => close(socket, code, reason),
        onMessage: (handle) => socket.on('message', (data) => void this.onMessage(socket, session, handle, data)),
      },
      {
        session,
        sendAround: (head, body, tail) => {
          if (socket.readyState !== socket.OPEN || !this.sessions.mayWrite(session)) return;
          writeTextFrame(connection, head, body, tail);
          this.sessions.wrote(session);
        },
      },
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
    session: Session,
    handle: (text: string) => Promise<void>,
    data: { toString(): string },
  ): Promise<void> {
    try {
      await handle(data.toString());
    } catch (err) {
      if (session.isOver) return;
      this.logger.error({ err, requestId: session.requestId }, 'a message on a socket could not be handled');
      close(socket, closeCodes.tryAgainLater, 'Try again later');
    }
  }
}

/** Resolves when the text has left the process, which holds back whoever waits for it. */
function send(socket: WebSocket, text: string | Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    if (socket.readyState !== socket.OPEN) resolve();
    else socket.send(text, { binary: false }, (error) => (error ? reject(error) : resolve()));
  });
}

function close(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState !== socket.OPEN) return;
  socket.close(code, reason);
  setTimeout(() => socket.terminate(), closeMs).unref();
}
