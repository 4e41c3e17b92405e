import { Injectable } from '@nestjs/common';
import { context as otelContext, SpanKind, trace } from '@opentelemetry/api';
import { execute, getOperationAST, GraphQLError, type ExecutionArgs, type ExecutionResult } from 'graphql';
import { BusClient } from '#libs/bus';
import { InjectConfig } from '#libs/config';
import { AppError, newId } from '#libs/kernel';
import type { GatewayConfig } from '../gateway.config.js';
import { RequestMetrics, type Transport } from '../observability/request-metrics.js';
import { costOf } from '../operations/cost.js';
import { OperationsService } from '../operations/operations.service.js';
import { RequestContext } from '../request/request-context.js';
import { runInScope } from '../request/request-scope.js';
import type { Session } from '../sessions/session.js';
import type { Outlet } from './outlet.js';
import { askedOf, type StreamOperation } from './stream-operation.js';
import { StreamsService } from './streams.service.js';
import type { Subscriber } from './subscriber.js';

const tracer = trace.getTracer('sluice-gateway');

interface Asked {
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Record<string, unknown> | null | undefined;
}

/** An operation that has been let through, with what it is told by. */
export interface LiveArgs extends ExecutionArgs {
  readonly operation: StreamOperation;
  readonly outlet: Outlet;
}

/** Operations on connections that stay open: the same limits, scope and measures whatever carries them. */
@Injectable()
export class LiveOperations {
  constructor(
    private readonly bus: BusClient,
    private readonly operations: OperationsService,
    private readonly streams: StreamsService,
    private readonly metrics: RequestMetrics,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'sockets'>,
  ) {}

  /** Lets an operation through, or says why not. What was let through is to be ended. */
  begin(
    session: Session,
    transport: Transport,
    { query, operationName, variables }: Asked,
    outlet: Outlet,
  ): LiveArgs | readonly GraphQLError[] {
    if (session.operations >= this.config.sockets.subscriptionsMax) return [tooMany()];
    const { document, errors } = this.operations.prepare(query);
    if (errors) return errors;
    const root = getOperationAST(document, operationName);
    if (!root) return [new GraphQLError('The document does not have the operation that was named.')];
    session.operations += 1;
    const args = { schema: this.operations.schema, document, operationName, variableValues: variables };
    const operation = {
      args,
      session,
      requestId: newId('request'),
      transport,
      labels: this.metrics.labelsOf(root),
      cost: costOf(document),
      asked: askedOf(session, query, args),
    };
    return { ...args, operation, outlet };
  }

  end(session: Session): void {
    session.operations -= 1;
  }

  execute(args: LiveArgs): Promise<ExecutionResult> {
    const { session, requestId } = args.operation;
    const contextValue = new RequestContext(this.bus, requestId, session, session);
    return this.inSpan(args, async () => execute({ ...args, contextValue }));
  }

  subscribe({ operation, outlet }: LiveArgs): Promise<Subscriber | ExecutionResult> {
    return this.inSpan({ operation }, () => this.streams.subscribe(operation, outlet));
  }

  private async inSpan<T>({ operation }: Pick<LiveArgs, 'operation'>, work: () => Promise<T>): Promise<T> {
    const { labels, requestId, session, transport } = operation;
    const startedAtMs = performance.now();
    const span = tracer.startSpan('gateway.graphql.execute', {
      kind: SpanKind.SERVER,
      attributes: {
        'sluice.request_id': requestId,
        'graphql.operation.type': labels.type,
        'graphql.operation.field': labels.field,
      },
    });
    const scope = { requestId, clientAddress: session.clientAddress, userAgent: session.userAgent };
    try {
      return await otelContext.with(trace.setSpan(otelContext.active(), span), () => runInScope(scope, work));
    } finally {
      this.metrics.observe(transport, labels, startedAtMs);
      span.end();
    }
  }
}

function tooMany(): GraphQLError {
  const originalError = new AppError('auth.throttled', 'Too many operations on this connection.', { retryable: true });
  return new GraphQLError(originalError.message, { originalError });
}
