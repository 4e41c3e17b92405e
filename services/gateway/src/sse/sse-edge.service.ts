import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { ExpressAdapter } from '@nestjs/platform-express';
import type { Request, Response } from 'express';
import type { ExecutionResult, GraphQLError } from 'graphql';
import { InjectConfig } from '#libs/config';
import { AppError, toAppError, toPublicErrorCode, type PublicErrorCode } from '#libs/kernel';
import { formatError } from '../errors/format-error.js';
import type { GatewayConfig } from '../gateway.config.js';
import { HttpEdge } from '../http/http-edge.js';
import { graphqlPath } from '../http/graphql-path.js';
import { BrowserCredentials } from '../identity/browser-credentials.js';
import { signInFirst } from '../identity/caller.js';
import { FaultLog } from '../observability/fault-log.js';
import { RequestMetrics, unknownOperation } from '../observability/request-metrics.js';
import { requestIdOf } from '../request/request-scope.js';
import { spliceRowBytes } from '../results/raw-rows.js';
import { Session } from '../sessions/session.js';
import { closeReasonOf, SessionsService } from '../sessions/sessions.service.js';
import { ConnectionRoom } from '../streams/connection-room.js';
import { LiveOperations, type LiveArgs } from '../streams/live-operations.service.js';
import { Payload } from '../streams/payload.js';
import { ResultFormat } from '../streams/result-format.js';
import { Subscriber } from '../streams/subscriber.js';
import { EventStream } from './event-stream.js';
import { questionOf } from './sse-question.js';

const streamPath = `${graphqlPath}/stream`;
const retryAfterSeconds = 2;
const statuses: Partial<Record<PublicErrorCode, number>> = {
  INVALID_INPUT: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  RATE_LIMITED: 429,
};

/** GraphQL over server-sent events, one operation for each request, where a network breaks WebSockets. */
@Injectable()
export class SseEdge {
  constructor(
    private readonly adapterHost: HttpAdapterHost<ExpressAdapter>,
    private readonly http: HttpEdge,
    private readonly sessions: SessionsService,
    private readonly browsers: BrowserCredentials,
    private readonly operations: LiveOperations,
    private readonly format: ResultFormat,
    private readonly metrics: RequestMetrics,
    private readonly faults: FaultLog,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'sockets'>,
  ) {}

  /** Comes behind what every HTTP request goes through, and before Apollo, which takes all paths below its own. */
  install(): void {
    this.adapterHost.httpAdapter.use(streamPath, (request: Request, response: Response) => {
      this.answer(request, response).catch((error: unknown) => this.refuse(request, response, error));
    });
  }

  private async answer(request: Request, response: Response): Promise<void> {
    const status = httpRefusalOf(request) ?? this.sessions.refusalOf(this.http.clientAddressOf(request));
    if (status !== undefined) {
      if (status === 429 || status === 503) response.setHeader('retry-after', retryAfterSeconds);
      response.sendStatus(status);
      return;
    }
    const question = questionOf(request);
    const opened = await this.open(request, response);
    if (!opened) return;
    const { session, stream } = opened;
    const args = this.operations.begin(session, 'sse', question, {
      room: session.room,
      send: (payload) => {
        stream.next(payload);
        this.sessions.wrote(session);
      },
      interrupt: (cause) => session.close(...closeReasonOf(cause)),
    });
    if (isRefusal(args)) {
      const unknown = { requestId: session.requestId, transport: 'sse', labels: unknownOperation } as const;
      stream.next(new Payload(JSON.stringify({ errors: this.format.errors(unknown, args) })));
    } else {
      await this.tell(args, stream, request.method).finally(() => this.operations.end(session));
    }
    stream.complete();
  }

  /** A session for the request, signed in; the answer has begun. Undefined where nobody waits for it any more. */
  private async open(
    request: Request,
    response: Response,
  ): Promise<{ session: Session; stream: EventStream } | undefined> {
    const opened: { stream?: EventStream } = {};
    const session = new Session(
      {
        close: (code, reason) => {
          // Before there is a stream its client learns by the break that it is to come back.
          if (opened.stream) opened.stream.close(code, reason);
          else response.destroy();
        },
      },
      new ConnectionRoom(request.socket, this.config.sockets.bufferBytesMax),
      requestIdOf(request.headers['x-request-id']),
      this.http.clientAddressOf(request),
      request.headers['user-agent'],
    );
    this.sessions.add(session);
    response.once('close', () => {
      this.sessions.remove(session);
      session.end();
    });
    const authorization = this.browsers.of(request);
    if (authorization === undefined) throw new AppError('auth.unauthenticated', signInFirst);
    await this.sessions.signIn(session, authorization);
    if (response.destroyed) return undefined;
    const stream = new EventStream(request, response, this.config.sockets.pingSeconds * 1_000);
    opened.stream = stream;
    return { session, stream };
  }

  /** Resolves at the end. What fails on the way is told as the last event, unless it passes. */
  private async tell(args: LiveArgs, stream: EventStream, method: string): Promise<void> {
    const { type } = args.operation.labels;
    if (type === 'mutation' && method === 'GET') {
      this.tellFailure(args, stream, new AppError('input.invalid', 'A mutation is sent by POST.'));
      return;
    }
    const isSubscription = type === 'subscription';
    const result = await (isSubscription ? this.operations.subscribe(args) : this.operations.execute(args));
    if (!(result instanceof Subscriber)) {
      this.tellResult(args, stream, result);
      return;
    }
    stream.onceClosed(() => void result.return());
    await result.next().catch((error: unknown) => this.tellFailure(args, stream, error));
  }

  private tellResult({ operation }: LiveArgs, stream: EventStream, result: ExecutionResult): void {
    stream.next(new Payload(spliceRowBytes(JSON.stringify(this.format.result(operation, result)))));
  }

  private tellFailure({ operation }: LiveArgs, stream: EventStream, error: unknown): void {
    this.faults.report(error, { requestId: operation.requestId });
    stream.next(new Payload(JSON.stringify({ errors: [formatError(error, operation.requestId)] })));
  }

  /** Only what is refused before the answer has begun has a status of its own. */
  private refuse(request: Request, response: Response, thrown: unknown): void {
    this.faults.report(thrown);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const error = toAppError(thrown);
    const code = toPublicErrorCode(error.code);
    this.metrics.countError('sse', unknownOperation, code);
    const status = statuses[code] ?? (error.retryable ? 503 : 500);
    if (error.retryable) response.setHeader('retry-after', retryAfterSeconds);
    response.status(status).json({ errors: [formatError(error, requestIdOf(request.headers['x-request-id']))] });
  }
}

function httpRefusalOf({ method, headers }: Request): 405 | 406 | undefined {
  // A page of another origin can send a POST with a body of its own and no preflight, but not one that is JSON.
  if (method !== 'POST' && method !== 'GET') return 405;
  return headers.accept?.includes('text/event-stream') ? undefined : 406;
}

function isRefusal(args: LiveArgs | readonly GraphQLError[]): args is readonly GraphQLError[] {
  return Array.isArray(args);
}
