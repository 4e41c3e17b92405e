import type { ApolloServerPlugin, GraphQLRequestContextWillSendResponse, GraphQLRequestListener } from '@apollo/server';
import { Plugin } from '@nestjs/apollo';
import { trace } from '@opentelemetry/api';
import { GraphQLError } from 'graphql';
import { FaultLog } from '../observability/fault-log.js';
import { RequestMetrics } from '../observability/request-metrics.js';
import type { RequestContext } from '../request/request-context.js';

/** Counts and logs what Apollo answers, and gives a request without good credentials its HTTP status. */
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
        const { type, field } = this.metrics.labelsOf(operation);
        if (type === 'subscription') throw notOverHttp();
        trace.getActiveSpan()?.setAttributes({ 'graphql.operation.type': type, 'graphql.operation.field': field });
      },
      didEncounterErrors: async ({ errors }) => {
        for (const error of errors) this.faults.report(error);
      },
      willSendResponse: async (request) => this.observe(request, startedAtMs),
    };
  }

  private observe(
    { operation, response, contextValue }: GraphQLRequestContextWillSendResponse<RequestContext>,
    startedAtMs: number,
  ): void {
    const labels = this.metrics.labelsOf(operation);
    this.metrics.observe('http', labels, startedAtMs);
    const errors = response.body.kind === 'single' ? (response.body.singleResult.errors ?? []) : [];
    for (const { extensions } of errors) {
      const code = String(extensions?.['code']);
      this.metrics.countError('http', labels, code);
      // The credentials of the request, and not those that a mutation was given, decide over the status.
      if (code === 'UNAUTHENTICATED' && !contextValue.isSignedIn) response.http.status = 401;
    }
  }
}

function notOverHttp(): GraphQLError {
  return new GraphQLError('Subscriptions are served over WebSocket, by graphql-transport-ws.', {
    extensions: { http: { status: 400 } },
  });
}
