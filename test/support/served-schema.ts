import { readFileSync } from 'node:fs';
import {
  buildSchema,
  getNamedType,
  isAbstractType,
  isObjectType,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
} from 'graphql';

export interface RootField {
  /** Such as `Query.viewer`. */
  readonly name: string;
  readonly field: string;
  readonly operation: 'query' | 'mutation' | 'subscription';
  /** With every argument as a variable of its name. */
  readonly document: string;
  readonly argumentNames: readonly string[];
}

export function servedSchema(): GraphQLSchema {
  return buildSchema(readFileSync('services/gateway/schema.graphql', 'utf8'));
}

/** Every object type of the schema but the roots. */
export function objectTypes(): { name: string; fields: string[]; interfaces: string[] }[] {
  const schema = servedSchema();
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  return Object.values(schema.getTypeMap())
    .filter(isObjectType)
    .filter((type) => !type.name.startsWith('__') && !roots.includes(type))
    .map((type) => ({
      name: type.name,
      fields: Object.keys(type.getFields()),
      interfaces: type.getInterfaces().map(({ name }) => name),
    }));
}

/** Every root field of the schema as it is served, with a document that asks for it. */
export function rootFields(): RootField[] {
  const schema = servedSchema();
  const roots = [
    ['query', schema.getQueryType()],
    ['mutation', schema.getMutationType()],
    ['subscription', schema.getSubscriptionType()],
  ] as const;
  return roots.flatMap(([operation, type]) =>
    type ? Object.values(type.getFields()).map((field) => toRootField(operation, type, field)) : [],
  );
}

function toRootField(
  operation: RootField['operation'],
  type: GraphQLObjectType,
  field: GraphQLField<unknown, unknown>,
): RootField {
  // What has a default is left to it.
  const asked = field.args.filter(({ defaultValue }) => defaultValue === undefined);
  const variables = asked.map((arg) => `$${arg.name}: ${arg.type.toString()}`).join(', ');
  const given = asked.map(({ name }) => `${name}: $${name}`).join(', ');
  const head = variables === '' ? '' : ` (${variables})`;
  const call = given === '' ? '' : `(${given})`;
  return {
    name: `${type.name}.${field.name}`,
    field: field.name,
    operation,
    document: `${operation}${head} { ${field.name}${call}${selectionOf(field.type, 0)} }`,
    argumentNames: asked.map(({ name }) => name),
  };
}

/** What tells whether something was found: ids, counts, failures, and two levels of what is inside. */
function selectionOf(output: GraphQLOutputType, depth: number): string {
  const type = getNamedType(output);
  if (isAbstractType(type)) return ' { __typename }';
  if (!isObjectType(type)) return '';
  const fields = Object.values(type.getFields()).filter(({ args }) => args.length === 0);
  const names = new Set(['id', 'totalCount', 'endCursor', 'code', 'path', 'message']);
  const inner = fields.flatMap((each) => {
    const of = getNamedType(each.type);
    if (isObjectType(of) || isAbstractType(of)) {
      const isShown =
        ['errors', 'nodes', 'results', 'pageInfo'].includes(each.name) || (depth === 0 && isPayload(type));
      return isShown && depth < 3 ? [`${each.name}${selectionOf(each.type, depth + 1)}`] : [];
    }
    return names.has(each.name) || each.name.endsWith('Count') || each.name.endsWith('Id') ? [each.name] : [];
  });
  return ` { __typename ${inner.join(' ')} }`;
}

function isPayload({ name }: GraphQLObjectType): boolean {
  return name.endsWith('Payload');
}
