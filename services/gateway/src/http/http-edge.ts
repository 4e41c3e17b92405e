import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Express, NextFunction, Request, Response } from 'express';
import proxyAddress from 'proxy-addr';
import { InjectConfig } from '#libs/config';
import { AppError } from '#libs/kernel';
import { formatError } from '../errors/format-error.js';
import type { GatewayConfig } from '../gateway.config.js';
import { FaultLog } from '../observability/fault-log.js';
import { RequestMetrics, unknownOperation } from '../observability/request-metrics.js';
import { OperationsService } from '../operations/operations.service.js';
import { currentRequestId, requestIdOf, runInScope } from '../request/request-scope.js';
import { Origins } from './origins.js';
import { securityHeaders } from './security-headers.js';

export const graphqlPath = '/graphql';

const tracer = trace.getTracer('sluice-gateway');

/** What every HTTP request goes through before GraphQL: its id, headers, origin, body, trace and the limits of its document. */
@Injectable()
export class HttpEdge {
  private readonly origins: Origins;

  constructor(
    private readonly adapterHost: HttpAdapterHost<ExpressAdapter>,
    private readonly operations: OperationsService,
    private readonly metrics: RequestMetrics,
    private readonly faults: FaultLog,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'http'>,
  ) {
    this.origins = new Origins(config.http.allowedOrigins);
  }

  /** Puts it in front of whatever is mounted later. */
  install(): void {
    const adapter = this.adapterHost.httpAdapter;
    const { trustedProxies, bodyBytesMax } = this.config.http;
    adapter.set('trust proxy', trustedProxies);
    adapter.disable('x-powered-by');
    // A hash over each answer would be taken for nobody: answers are not to be stored.
    adapter.disable('etag');
    adapter.use((request: Request, response: Response, next: NextFunction) => this.begin(request, response, next));
    adapter.useBodyParser('json', false, { limit: bodyBytesMax });
    adapter.use((error: unknown, _request: Request, response: Response, next: NextFunction) =>
      this.refuseBody(error, response, next),
    );
    adapter.use(graphqlPath, (request: Request, response: Response, next: NextFunction) =>
      // What is mounted below it sees to this itself.
      request.path === '/'
        ? this.inScope(request, response, () => this.checkDocument(request, response, next))
        : next(),
    );
  }

  /** Where a request comes from, as far as the named proxies can be believed; also one that asks for an upgrade. */
  clientAddressOf(request: IncomingMessage): string {
    const app = this.adapterHost.httpAdapter.getInstance<Express>();
    // Express makes it of the setting `trust proxy`.
    return proxyAddress(request, app.get('trust proxy fn') as Parameters<typeof proxyAddress>[1]);
  }

  private begin(request: Request, response: Response, next: NextFunction): void {
    const requestId = requestIdOf(request.headers['x-request-id']);
    // Whoever comes later finds the id where it would have come from.
    request.headers['x-request-id'] = requestId;
    response.setHeader('x-request-id', requestId);
    response.setHeaders(securityHeaders(request.secure));
    if (this.isAnsweredByOrigin(request, response)) return;
    next();
  }

  /** CORS. A page of another origin is told nothing unless it is listed, and its preflight is answered here. */
  private isAnsweredByOrigin(request: Request, response: Response): boolean {
    const { origin } = request.headers;
    if (origin === undefined) return false;
    response.vary('Origin');
    if (!this.origins.allows(origin, request.headers.host)) {
      this.refuse(response, 403, new AppError('auth.forbidden', 'This origin may not use the gateway.'));
      return true;
    }
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('access-control-expose-headers', 'x-request-id');
    if (request.method !== 'OPTIONS') return false;
    response.setHeader('access-control-allow-methods', 'GET, POST');
    response.setHeader(
      'access-control-allow-headers',
      'authorization, content-type, x-request-id, traceparent, tracestate, apollo-require-preflight',
    );
    response.setHeader('access-control-max-age', '600');
    response.status(204).end();
    return true;
  }

  private inScope(request: Request, response: Response, work: () => void): void {
    const requestId = requestIdOf(request.headers['x-request-id']);
    const parent = propagation.extract(context.active(), request.headers);
    const span = tracer.startSpan(
      'gateway.graphql.execute',
      { kind: SpanKind.SERVER, attributes: { 'sluice.request_id': requestId, 'http.request.method': request.method } },
      parent,
    );
    response.once('close', () => {
      span.setAttribute('http.response.status_code', response.statusCode);
      if (response.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    });
    const scope = { requestId, clientAddress: request.ip, origin: `${request.protocol}://${request.host}` };
    context.with(trace.setSpan(parent, span), () => runInScope(scope, work));
  }

  /** Limits and validation come before anything else is done for a document. */
  private checkDocument(request: Request, response: Response, next: NextFunction): void {
    const text = documentOf(request);
    const errors = text === undefined ? undefined : this.operations.prepare(text).errors;
    if (!errors) {
      next();
      return;
    }
    this.answer(response, 400, errors);
  }

  private refuseBody(error: unknown, response: Response, next: NextFunction): void {
    if (error === undefined) {
      next();
      return;
    }
    const status = statusOf(error);
    const fault =
      status === 413
        ? new AppError('input.too_large', 'The request is too large.')
        : new AppError('input.invalid', 'The body of the request cannot be read as JSON.');
    this.refuse(response, status, fault);
  }

  private refuse(response: Response, status: number, error: AppError): void {
    this.answer(response, status, [error]);
  }

  private answer(response: Response, status: number, errors: readonly unknown[]): void {
    const header = response.getHeader('x-request-id');
    const requestId = typeof header === 'string' ? header : currentRequestId();
    for (const error of errors) this.faults.report(error);
    const formatted = errors.map((error) => formatError(error, requestId));
    for (const { extensions } of formatted) {
      this.metrics.countError('http', unknownOperation, String(extensions?.['code']));
    }
    response.status(status).json({ errors: formatted });
  }
}

/** The text of the document that the request asks to run, wherever HTTP may carry it. */
function documentOf({ method, body, query }: Request): string | undefined {
  if (method === 'GET') return typeof query['query'] === 'string' ? query['query'] : undefined;
  const { query: text } = (body ?? {}) as { readonly query?: unknown };
  return typeof text === 'string' && text !== '' ? text : undefined;
}

/** The status that the body parser names for what it refuses. */
function statusOf(error: unknown): number {
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : 400;
}
