import type { DocumentNode } from 'graphql';
import { measureDocument } from './measure-operation.js';

/** What an operation is told that it costs, in `extensions.cost` of each of its results: what the limits of documents count. */
export interface Cost {
  readonly fields: number;
  readonly depth: number;
}

const known = new WeakMap<DocumentNode, Cost>();

/** The same for each request with this document, whatever its variables. */
export function costOf(document: DocumentNode): Cost {
  let cost = known.get(document);
  if (!cost) {
    const { fields, depth } = measureDocument(document);
    cost = { fields, depth };
    known.set(document, cost);
  }
  return cost;
}
