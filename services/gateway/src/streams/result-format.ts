import { Injectable } from '@nestjs/common';
import type { ExecutionResult, FormattedExecutionResult, GraphQLError, GraphQLFormattedError } from 'graphql';
import { formatError } from '../errors/format-error.js';
import { FaultLog } from '../observability/fault-log.js';
import { RequestMetrics, type OperationLabels, type Transport } from '../observability/request-metrics.js';
import type { Cost } from '../operations/cost.js';

interface Operation {
  readonly requestId: string;
  readonly transport: Transport;
  readonly labels: OperationLabels;
}

interface Begun extends Operation {
  readonly cost: Cost;
}

/** Results as callers on open connections see them; their errors are counted and logged on the way. */
@Injectable()
export class ResultFormat {
  constructor(
    private readonly metrics: RequestMetrics,
    private readonly faults: FaultLog,
  ) {}

  result(operation: Begun, { data, errors }: ExecutionResult): FormattedExecutionResult {
    const { cost } = operation;
    return {
      ...(errors ? { errors: this.errors(operation, errors) } : {}),
      ...(data === undefined ? {} : { data }),
      extensions: { cost },
    };
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
