import type { IncomingMessage, ServerResponse } from 'node:http';
import { HeaderMap, type ApolloServer, type HTTPGraphQLResponse } from '@apollo/server';
import { Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { GraphQLModule } from '@nestjs/graphql';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { getOperationAST } from 'graphql';
import { KeptAnswers } from '../cache/kept-answers.service.js';
import { OperationsService } from '../operations/operations.service.js';
import { requestIdOf, runInScope } from '../request/request-scope.js';
import type { ApolloWithoutExpress } from './apollo-without-express.driver.js';
import { TrustedProxies } from './trusted-proxies.js';
import { ContextFactory } from './context-factory.js';
import type { JsonBody } from './json-body.js';
import { ObservingPlugin } from './observing.plugin.js';
import { Refusals } from './refusals.js';

const tracer = trace.getTracer('sluice-gateway');

/** Answers a GraphQL request over HTTP whose body has been read: its scope, its trace, the limits of its document, and Apollo. */
@Injectable()
export class GraphqlHttp {
  private server: ApolloServer | undefined;

  constructor(
    private readonly modules: ModuleRef,
    private readonly contexts: ContextFactory,
    private readonly operations: OperationsService,
    private readonly proxies: TrustedProxies,
    private readonly refusals: Refusals,
    private readonly kept: KeptAnswers,
    private readonly observer: ObservingPlugin,
  ) {}

  answer(request: IncomingMessage, response: ServerResponse, body: JsonBody): void {
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
    const { proxies } = this;
    const scope = {
      requestId,
      clientAddress: proxies.clientAddressOf(request),
      userAgent: request.headers['user-agent'],
      origin: proxies.originOf(request),
    };
    context.with(trace.setSpan(parent, span), () =>
      runInScope(scope, () => {
        // It answers every failure by itself; what is left is one of the socket's.
        this.execute(request, response, body).catch((error: unknown) => response.destroy(asError(error)));
      }),
    );
  }

  private async execute(request: IncomingMessage, response: ServerResponse, body: JsonBody): Promise<void> {
    const begunMs = performance.now();
    const search = searchOf(request);
    const text = documentOf(request, search, body.value);
    const { document, errors } = text === undefined ? nothing : this.operations.prepare(text);
    // Limits and validation come before anything else is done for a document.
    if (errors) {
      this.refusals.answer(response, 400, errors);
      return;
    }
    const context = await this.contexts.forHttp(request, response);
    const { accept } = request.headers;
    const key = document && body.text !== undefined && this.kept.keyOf(document, body.text, accept, context);
    const repeated = key ? await this.kept.repeat(key, context) : undefined;
    if (repeated && document) {
      this.observer.answered(getOperationAST(document), begunMs);
      response.setHeader('content-type', repeated.contentType);
      response.end(repeated.text);
      return;
    }
    const answer = await this.apollo.executeHTTPGraphQLRequest({
      httpGraphQLRequest: { method: request.method ?? '', headers: headersOf(request), search, body: body.value ?? {} },
      context: async () => context,
    });
    if (key && answer.body.kind === 'complete') {
      const contentType = answer.headers.get('content-type') ?? '';
      this.kept.keep(key, { text: answer.body.string, contentType }, context);
    }
    await send(response, answer);
  }

  /** Started with its module, which is after this one is made. */
  private get apollo(): ApolloServer {
    return (this.server ??= this.modules.get<GraphQLModule<ApolloWithoutExpress>>(GraphQLModule, {
      strict: false,
    }).graphQlAdapter.instance);
  }
}

const nothing: { document?: undefined; errors?: undefined } = {};

async function send(response: ServerResponse, { status, headers, body }: HTTPGraphQLResponse): Promise<void> {
  response.statusCode = status ?? 200;
  for (const [name, value] of headers) response.setHeader(name, value);
  if (body.kind === 'complete') {
    response.end(body.string);
    return;
  }
  for await (const chunk of body.asyncIterator) response.write(chunk);
  response.end();
}

function headersOf({ headers }: IncomingMessage): HeaderMap {
  const map = new HeaderMap();
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) map.set(name, typeof value === 'string' ? value : value.join(', '));
  }
  return map;
}

function searchOf({ url = '' }: IncomingMessage): string {
  const at = url.indexOf('?');
  return at < 0 ? '' : url.slice(at);
}

/** The text of the document that the request asks to run, wherever HTTP may carry it. */
function documentOf({ method }: IncomingMessage, search: string, body: unknown): string | undefined {
  if (method === 'GET') {
    const [text, ...others] = new URLSearchParams(search).getAll('query');
    // Apollo refuses what is given twice.
    return others.length === 0 ? text : undefined;
  }
  const { query: text } = (body ?? {}) as { readonly query?: unknown };
  return typeof text === 'string' && text !== '' ? text : undefined;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
