import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { Express, NextFunction, Request, Response } from 'express';
import { InjectConfig } from '#libs/config';
import { AppError } from '#libs/kernel';
import type { GatewayConfig } from '../gateway.config.js';
import { requestIdOf } from '../request/request-scope.js';
import { sendScimError } from '../scim/scim-error.js';
import { scimPath } from '../scim/scim-path.js';
import { ssoPath } from '../sso/sso-paths.js';
import { GraphqlHttp } from './graphql-http.js';
import { graphqlPath } from './graphql-path.js';
import { hasPlainJson, readPlainJson } from './json-body.js';
import { Origins } from './origins.js';
import { PlainHttp } from './plain-http.js';
import { Refusals } from './refusals.js';
import { securityHeaders } from './security-headers.js';
import { TrustedProxies } from './trusted-proxies.js';

/**
 * What every HTTP request goes through first: its id, headers, origin and body. GraphQL as nearly every client sends it
 * goes from node:http straight to GraphqlHttp, as Express took a sixth of the processor time of an answer from the cache;
 * all others come to the same place by way of Express.
 */
@Injectable()
export class HttpEdge implements OnApplicationBootstrap {
  private readonly origins: Origins;

  constructor(
    private readonly adapterHost: HttpAdapterHost<ExpressAdapter>,
    private readonly graphql: GraphqlHttp,
    private readonly refusals: Refusals,
    private readonly plain: PlainHttp,
    private readonly proxies: TrustedProxies,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'http'>,
  ) {
    this.origins = new Origins(config.http.allowedOrigins);
  }

  /** Puts it in front of whatever is mounted later. */
  install(): void {
    const adapter = this.adapterHost.httpAdapter;
    adapter.disable('x-powered-by');
    // A hash over each answer would be taken for nobody: answers are not to be stored.
    adapter.disable('etag');
    adapter.use((request: Request, response: Response, next: NextFunction) => {
      if (this.begin(request, response)) next();
    });
    const type = ['application/json', 'application/scim+json'];
    adapter.useBodyParser('json', false, { limit: this.config.http.bodyBytesMax, type });
    adapter.use((error: unknown, request: Request, response: Response, next: NextFunction) =>
      this.refuseBody(error, request, response, next),
    );
    adapter.use(graphqlPath, (request: Request, response: Response, next: NextFunction) =>
      // What is mounted below it sees to this itself.
      request.path === '/' ? this.graphql.answer(request, response, { value: request.body }) : next(),
    );
  }

  /** Before it listens. */
  onApplicationBootstrap(): void {
    const adapter = this.adapterHost.httpAdapter;
    const express = adapter.getInstance<Express & RequestListener>();
    // The gateway listens on HTTP, so its adapter's server is one of node:http.
    const server = adapter.getHttpServer() as Server;
    server.off('request', express).prependListener('request', (request, response) => {
      if (this.isPlain(request)) this.answerPlain(request, response);
      else express(request, response);
    });
  }

  /** Where a request comes from, as far as the named proxies can be believed; also one that asks for an upgrade. */
  clientAddressOf(request: IncomingMessage): string {
    return this.proxies.clientAddressOf(request);
  }

  private isPlain(request: IncomingMessage): boolean {
    const { method, url } = request;
    return method === 'POST' && url === graphqlPath && hasPlainJson(request, this.config.http.bodyBytesMax);
  }

  private answerPlain(request: IncomingMessage, response: ServerResponse): void {
    if (!this.begin(request, response)) return;
    readPlainJson(request, (body) => {
      if (body) this.graphql.answer(request, response, body);
      else this.refuse(response, 400, unreadable());
    });
  }

  /** False where that was the whole answer already. */
  private begin(request: IncomingMessage, response: ServerResponse): boolean {
    const requestId = requestIdOf(request.headers['x-request-id']);
    // Whoever comes later finds the id where it would have come from.
    request.headers['x-request-id'] = requestId;
    response.setHeader('x-request-id', requestId);
    for (const [name, value] of securityHeaders(this.proxies.isEncrypted(request))) response.setHeader(name, value);
    return !this.isAnsweredByOrigin(request, response);
  }

  /** CORS. A page of another origin is told nothing unless it is listed, and its preflight is answered here. */
  private isAnsweredByOrigin(request: IncomingMessage, response: ServerResponse): boolean {
    const { origin } = request.headers;
    // An identity provider's page sends a browser there with a form; nothing of the answer is for that page.
    if (origin === undefined || request.url?.startsWith(`/${ssoPath}/`)) return false;
    response.setHeader('vary', 'Origin');
    if (!this.origins.allows(origin, request.headers.host)) {
      this.refuse(response, 403, new AppError('auth.forbidden', 'This origin may not use the gateway.'));
      return true;
    }
    response.setHeader('access-control-allow-origin', origin);
    // By a cookie only those pages may ask that are named.
    if (this.config.http.allowedOrigins.includes(origin)) {
      response.setHeader('access-control-allow-credentials', 'true');
    }
    response.setHeader('access-control-expose-headers', 'x-request-id');
    if (request.method !== 'OPTIONS') return false;
    response.setHeader('access-control-allow-methods', 'GET, POST');
    response.setHeader(
      'access-control-allow-headers',
      'authorization, content-type, x-request-id, traceparent, tracestate, apollo-require-preflight',
    );
    response.setHeader('access-control-max-age', '600');
    response.statusCode = 204;
    response.end();
    return true;
  }

  private refuseBody(error: unknown, request: Request, response: Response, next: NextFunction): void {
    if (error === undefined) {
      next();
      return;
    }
    const status = statusOf(error);
    const fault = status === 413 ? new AppError('input.too_large', 'The request is too large.') : unreadable();
    // A body that is too large, or in letters that nobody reads, says nothing of its syntax.
    const scimType = status === 400 ? 'invalidSyntax' : undefined;
    if (request.path.startsWith(`/${scimPath}/`)) sendScimError(response, status, fault, scimType);
    else if (request.path.startsWith(graphqlPath)) this.refuse(response, status, fault);
    else void this.plain.refuseRequest(request, response, status, fault);
  }

  private refuse(response: ServerResponse, status: number, error: AppError): void {
    this.refusals.answer(response, status, [error]);
  }
}

function unreadable(): AppError {
  return new AppError('input.invalid', 'The body of the request cannot be read as JSON.');
}

/** The status that the body parser names for what it refuses. */
function statusOf(error: unknown): number {
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : 400;
}
