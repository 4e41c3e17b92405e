import { Injectable } from '@nestjs/common';
import type { ExecutionResult, FormattedExecutionResult, GraphQLError, GraphQLFormattedError } from 'graphql';
import { formatError } from '../errors/format-error.js';
import { FaultLog } from '../observability/fault-log.js';
import { RequestMetrics, type OperationLabels, type Transport } from '../observability/request-metrics.js';

interface Operation {
  readonly requestId: string;
  readonly transport: Transport;
  readonly labels: OperationLabels;
}

/** Results as callers on open connections see them; their errors are counted and logged on the way. */
@Injectable()
export class ResultFormat {
  constructor(
    private readonly metrics: RequestMetrics,
    private readonly faults: FaultLog,
  ) {}

  result(operation: Operation, { data, errors }: ExecutionResult): FormattedExecutionResult {
    if (!errors) return { data };
    return { ...(data === undefined ? {} : { data }), errors: this.errors(operation, errors) };
  }

  errors({ requestId, transport, labels }: Operation, errors: readonly GraphQLError[]): GraphQLFormattedError[] {
    return errors.map((error) => {
      this.faults.report(error, { requestId });
      const formatted = formatError(error, requestId);
      this.metrics.countError(transport, labels, String(formatted.extensions?.['code']));
      return formatted;
    });
  }
}
