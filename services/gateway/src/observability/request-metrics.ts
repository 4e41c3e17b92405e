import { Injectable } from '@nestjs/common';
import { Kind, OperationTypeNode, type OperationDefinitionNode } from 'graphql';
import { MetricsRegistry } from '#libs/telemetry';
import { OperationsService } from '../operations/operations.service.js';

/** What kind of request it was: labels of few values, whatever clients call their operations. */
export interface OperationLabels {
  readonly type: string;
  readonly field: string;
}

export const unknownOperation: OperationLabels = { type: 'none', field: 'none' };

export type Transport = 'http' | 'websocket' | 'sse';

/** Requests and errors by operation and code, and how long they took. */
@Injectable()
export class RequestMetrics {
  private readonly requests;
  private readonly errors;
  private readonly seconds;
  /** Of the documents that are kept prepared, so that each is looked at once. */
  private readonly known = new WeakMap<OperationDefinitionNode, OperationLabels>();

  constructor(
    metrics: MetricsRegistry,
    private readonly operations: OperationsService,
  ) {
    const labels = ['transport', 'type', 'field'] as const;
    this.requests = metrics.counter({ name: 'requests_total', help: 'GraphQL operations that were answered.', labels });
    this.errors = metrics.counter({
      name: 'errors_total',
      help: 'Errors in answers, by the code that callers are told.',
      labels: [...labels, 'code'],
    });
    this.seconds = metrics.histogram({
      name: 'request_seconds',
      help: 'Time to the whole answer; of a subscription, to its first event.',
      labels,
    });
  }

  /** The operation's type and its root field; several fields are `several`. */
  labelsOf(operation: OperationDefinitionNode | undefined | null): OperationLabels {
    if (!operation) return unknownOperation;
    const known = this.known.get(operation);
    if (known) return known;
    const labels = this.readLabels(operation);
    this.known.set(operation, labels);
    return labels;
  }

  private readLabels(operation: OperationDefinitionNode): OperationLabels {
    const names = operation.selectionSet.selections.map((node) => (node.kind === Kind.FIELD ? node.name.value : '...'));
    const [first, ...others] = names;
    if (others.length > 0) return { type: operation.operation, field: 'several' };
    return { type: operation.operation, field: this.isServed(operation.operation, first) ? first : 'other' };
  }

  observe(transport: Transport, labels: OperationLabels, startedAtMs: number): void {
    const all = { transport, ...labels };
    this.requests.inc(all);
    this.seconds.observe(all, (performance.now() - startedAtMs) / 1_000);
  }

  countError(transport: Transport, labels: OperationLabels, code: string): void {
    this.errors.inc({ transport, ...labels, code });
  }

  private isServed(type: OperationTypeNode, field: string | undefined): field is string {
    if (field === undefined) return false;
    const root = this.operations.schema.getRootType(type);
    return field.startsWith('__') || root?.getFields()[field] !== undefined;
  }
}
