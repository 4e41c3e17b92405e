import type { ApolloServerPlugin, GraphQLRequestContextWillSendResponse, GraphQLRequestListener } from '@apollo/server';
import { Plugin } from '@nestjs/apollo';
import { trace } from '@opentelemetry/api';
import { GraphQLError, OperationTypeNode, type OperationDefinitionNode } from 'graphql';
import { FaultLog } from '../observability/fault-log.js';
import { RequestMetrics, type OperationLabels } from '../observability/request-metrics.js';
import { costOf } from '../operations/cost.js';
import type { RequestContext } from '../request/request-context.js';

/** Counts and logs what Apollo answers, says what it cost, and gives a request without good credentials its HTTP status. */
@Plugin()
export class ObservingPlugin implements ApolloServerPlugin<RequestContext> {
  constructor(
    private readonly metrics: RequestMetrics,
    private readonly faults: FaultLog,
  ) {}

  async requestDidStart(): Promise<GraphQLRequestListener<RequestContext>> {
    const startedAtMs = performance.now();
    return {
      didResolveOperation: async ({ operation }) => {
        if (operation?.operation === OperationTypeNode.SUBSCRIPTION) throw notOverHttp();
        traceOperation(this.metrics.labelsOf(operation));
      },
      didEncounterErrors: async ({ errors }) => {
        for (const error of errors) this.faults.report(error);
      },
      willSendResponse: async (request) => this.observe(request, startedAtMs),
    };
  }

  /** Of an operation that was answered without Apollo, and without an error. */
  answered(operation: OperationDefinitionNode | undefined | null, startedAtMs: number): void {
    const labels = this.metrics.labelsOf(operation);
    traceOperation(labels);
    this.metrics.observe('http', labels, startedAtMs);
  }

  private observe(
    { document, operation, response, contextValue }: GraphQLRequestContextWillSendResponse<RequestContext>,
    startedAtMs: number,
  ): void {
    const labels = this.metrics.labelsOf(operation);
    this.metrics.observe('http', labels, startedAtMs);
    const result = response.body.kind === 'single' ? response.body.singleResult : {};
    if (document && operation) result.extensions = { ...result.extensions, cost: costOf(document) };
    for (const { extensions } of result.errors ?? []) {
      const code = String(extensions?.['code']);
      this.metrics.countError('http', labels, code);
      // The credentials of the request, and not those that a mutation was given, decide over the status.
      if (code === 'UNAUTHENTICATED' && !contextValue.isSignedIn) response.http.status = 401;
    }
  }
}

function traceOperation({ type, field }: OperationLabels): void {
  trace.getActiveSpan()?.setAttributes({ 'graphql.operation.type': type, 'graphql.operation.field': field });
}

function notOverHttp(): GraphQLError {
  return new GraphQLError(
    'Subscriptions are served over WebSocket (graphql-transport-ws) here, and as server-sent events at /graphql/stream.',
    {
      extensions: { http: { status: 400 } },
    },
  );
}
