import { Injectable } from '@nestjs/common';
import { context as otelContext, SpanKind, trace } from '@opentelemetry/api';
import {
  execute,
  getOperationAST,
  GraphQLError,
  OperationTypeNode,
  type ExecutionArgs,
  type ExecutionResult,
  type FormattedExecutionResult,
  type GraphQLFormattedError,
} from 'graphql';
import { makeServer, type Server, type SubscribePayload } from 'graphql-ws';
import { BusClient } from '#libs/bus';
import { InjectConfig } from '#libs/config';
import { AppError, newId } from '#libs/kernel';
import { formatError } from '../errors/format-error.js';
import type { GatewayConfig } from '../gateway.config.js';
import { FaultLog } from '../observability/fault-log.js';
import { RequestMetrics, type OperationLabels } from '../observability/request-metrics.js';
import { OperationsService } from '../operations/operations.service.js';
import { RequestContext } from '../request/request-context.js';
import { runInScope } from '../request/request-scope.js';
import { drawEvents } from './draw-events.js';
import { closeReasonOf, SessionsService } from './sessions.service.js';
import { closeCodes, type SocketSession } from './socket-session.js';

const initWaitMs = 3_000;
const tracer = trace.getTracer('sluice-gateway');

/** An operation's arguments with what is measured of it. */
interface OperationArgs extends ExecutionArgs {
  readonly contextValue: RequestContext;
  readonly labels: OperationLabels;
  readonly startedAtMs: number;
  readonly clientAddress: string;
}

/** graphql-transport-ws: what each message of the protocol leads to. It knows no socket, only sessions. */
@Injectable()
export class GraphqlSocketServer {
  readonly protocol: Server<SocketSession>;

  constructor(
    private readonly bus: BusClient,
    private readonly operations: OperationsService,
    private readonly sessions: SessionsService,
    private readonly metrics: RequestMetrics,
    private readonly faults: FaultLog,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'sockets'>,
  ) {
    this.protocol = makeServer<{ authorization?: unknown }, SocketSession>({
      connectionInitWaitTimeout: initWaitMs,
      onConnect: ({ extra, connectionParams }) => this.connect(extra, connectionParams?.authorization),
      onSubscribe: ({ extra }, _id, payload) => this.begin(extra, payload),
      // onSubscribe has made these arguments.
      execute: (args) => this.execute(args as OperationArgs),
      subscribe: (args) => this.subscribe(args as OperationArgs),
      onNext: (_context, _id, _payload, args, result) => this.formatResult(args as OperationArgs, result),
      onError: ({ extra }, _id, _payload, errors) => this.formatErrors(errors, extra.requestId),
      onComplete: ({ extra }) => {
        extra.operations -= 1;
      },
    });
  }

  private async connect(session: SocketSession, authorization: unknown): Promise<boolean> {
    if (typeof authorization !== 'string') {
      session.close(closeCodes.unauthorized, 'Unauthorized');
      return false;
    }
    try {
      await this.sessions.signIn(session, authorization);
      return true;
    } catch (error) {
      this.faults.report(error, { requestId: session.requestId });
      const [code, reason] = closeReasonOf(error);
      session.close(code, reason);
      return false;
    }
  }

  private begin(session: SocketSession, payload: SubscribePayload): OperationArgs | readonly GraphQLError[] {
    session.operations += 1;
    if (session.operations > this.config.sockets.subscriptionsMax) return this.refused(session, [tooMany()]);
    const { document, errors } = this.operations.prepare(payload.query);
    if (errors) return this.refused(session, errors);
    const requestId = newId('request');
    return {
      schema: this.operations.schema,
      document,
      operationName: payload.operationName,
      variableValues: payload.variables,
      contextValue: new RequestContext(this.bus, requestId, session, session),
      labels: this.metrics.labelsOf(getOperationAST(document, payload.operationName)),
      startedAtMs: performance.now(),
      clientAddress: session.clientAddress,
    };
  }

  /** What is refused before it begins is never completed. */
  private refused(session: SocketSession, errors: readonly GraphQLError[]): readonly GraphQLError[] {
    session.operations -= 1;
    return errors;
  }

  private execute(args: OperationArgs): ExecutionResult | Promise<ExecutionResult> {
    return this.inSpan(args, async () => execute(args));
  }

  private subscribe(args: OperationArgs): ReturnType<typeof drawEvents> {
    return this.inSpan(args, () => drawEvents(args, args.contextValue));
  }

  private async inSpan<T>(args: OperationArgs, work: () => Promise<T>): Promise<T> {
    const { labels, contextValue, startedAtMs, clientAddress } = args;
    const scope = { requestId: contextValue.requestId, clientAddress };
    const span = tracer.startSpan('gateway.graphql.execute', {
      kind: SpanKind.SERVER,
      attributes: {
        'sluice.request_id': contextValue.requestId,
        'graphql.operation.type': labels.type,
        'graphql.operation.field': labels.field,
      },
    });
    try {
      return await otelContext.with(trace.setSpan(otelContext.active(), span), () => runInScope(scope, work));
    } finally {
      this.metrics.observe('websocket', labels, startedAtMs);
      span.end();
    }
  }

  private formatResult(args: OperationArgs, { data, errors }: ExecutionResult): FormattedExecutionResult {
    if (!errors) return { data };
    return { data, errors: this.formatErrors(errors, args.contextValue.requestId, args.labels) };
  }

  private formatErrors(
    errors: readonly GraphQLError[],
    requestId: string,
    labels: OperationLabels = { type: OperationTypeNode.SUBSCRIPTION, field: 'any' },
  ): GraphQLFormattedError[] {
    return errors.map((error) => {
      this.faults.report(error, { requestId });
      const formatted = formatError(error, requestId);
      this.metrics.countError('websocket', labels, String(formatted.extensions?.['code']));
      return formatted;
    });
  }
}

function tooMany(): GraphQLError {
  const originalError = new AppError('auth.throttled', 'Too many operations on this connection.', { retryable: true });
  return new GraphQLError(originalError.message, { originalError });
}
