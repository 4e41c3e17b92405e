import { GraphQLError, GraphQLScalarType, Kind, valueFromASTUntyped, type ValueNode } from 'graphql';

/** The contract's scalars. What a client sends wrongly is its fault, so each throws GraphQLError and nothing else. */
export const scalars = {
  DateTime: scalar('DateTime', (value) => (value as Date).toISOString(), parseDateTime),
  JSON: scalar('JSON', (value) => value, parseJson),
  JSONObject: scalar('JSONObject', (value) => value, parseObject),
  SafeInt: scalar('SafeInt', (value) => value, parseSafeInt),
  // Rows come as text that is spliced into the answer; see results/raw-rows.ts.
  Row: scalar('Row', (value) => value, refuse),
  Cursor: scalar('Cursor', (value) => value, parseText),
  RowCursor: scalar('RowCursor', (value) => value, parseText),
  EventCursor: scalar('EventCursor', (value) => value, parseText),
};

type Parse = (value: unknown) => unknown;

function scalar(name: string, serialize: (value: unknown) => unknown, parse: Parse): GraphQLScalarType {
  return new GraphQLScalarType({
    name,
    serialize,
    parseValue: parse,
    parseLiteral: (node, variables) => parse(literalOf(node, variables)),
  });
}

function literalOf(node: ValueNode, variables: Readonly<Record<string, unknown>> | null | undefined): unknown {
  // An enum's name is no JSON, and valueFromASTUntyped would take it for a text.
  if (node.kind === Kind.ENUM) throw new GraphQLError(`${node.value} is not a value`, { nodes: node });
  return valueFromASTUntyped(node, variables);
}

const dateTime = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

function parseDateTime(value: unknown): Date {
  const date = typeof value === 'string' && dateTime.test(value) ? new Date(value.toUpperCase()) : undefined;
  if (!date || Number.isNaN(date.getTime())) throw new GraphQLError('A DateTime is such as 2026-01-31T12:00:00Z');
  return date;
}

function parseSafeInt(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw new GraphQLError('A SafeInt is a whole number between -(2^53 - 1) and 2^53 - 1');
  }
  return value;
}

function parseObject(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new GraphQLError('A JSONObject is a JSON object');
  }
  return parseJson(value);
}

/** Deeper than anything that is meant; what reads it on its way through the services is recursive. */
const jsonDepthMax = 32;
/** What a request may hold besides is text; a list of half a million numbers would keep every service busy for seconds. */
const jsonValuesMax = 10_000;

function parseJson(value: unknown): unknown {
  let level = [value];
  let values = 0;
  for (let depth = 0; level.length > 0; depth += 1) {
    values += level.length;
    if (values > jsonValuesMax) throw new GraphQLError(`JSON may hold at most ${jsonValuesMax} values`);
    if (depth > jsonDepthMax) throw new GraphQLError(`JSON may be nested at most ${jsonDepthMax} levels deep`);
    level = level.flatMap(membersOf);
  }
  return value;
}

function membersOf(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : [];
}

function parseText(value: unknown): string {
  if (typeof value !== 'string') throw new GraphQLError('A cursor is a text');
  return value;
}

function refuse(): never {
  throw new GraphQLError('Rows are not an input');
}
