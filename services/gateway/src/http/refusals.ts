import type { ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import { formatError } from '../errors/format-error.js';
import { FaultLog } from '../observability/fault-log.js';
import { RequestMetrics, unknownOperation } from '../observability/request-metrics.js';
import { currentRequestId } from '../request/request-scope.js';

/** Answers a request that comes to no operation, as GraphQL would. */
@Injectable()
export class Refusals {
  constructor(
    private readonly metrics: RequestMetrics,
    private readonly faults: FaultLog,
  ) {}

  answer(response: ServerResponse, status: number, errors: readonly unknown[]): void {
    const header = response.getHeader('x-request-id');
    const requestId = typeof header === 'string' ? header : currentRequestId();
    for (const error of errors) this.faults.report(error);
    const formatted = errors.map((error) => formatError(error, requestId));
    for (const { extensions } of formatted) {
      this.metrics.countError('http', unknownOperation, String(extensions?.['code']));
    }
    response.statusCode = status;
    response.setHeader('content-type', 'application/json; charset=utf-8');
    response.end(JSON.stringify({ errors: formatted }));
  }
}
