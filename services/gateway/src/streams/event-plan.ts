import {
  defaultFieldResolver,
  GraphQLNonNull,
  GraphQLObjectType,
  isAbstractType,
  isLeafType,
  isNullableType,
  Kind,
  type DocumentNode,
  type ExecutionArgs,
  type FieldNode,
  type GraphQLField,
  type GraphQLSchema,
  type SelectionSetNode,
} from 'graphql';
import type { ExecutionEvent } from '../events/execution-event.js';

interface PlainField {
  readonly key: string;
  /** @throws where only GraphQL's execution can say what becomes of it */
  readonly read: (event: ExecutionEvent) => unknown;
}

interface EventPlan {
  /** The response key of the subscription's field. */
  readonly root: string;
  readonly fields: readonly PlainField[];
}

/** Of each document, by type of event and name of the operation. */
const plansOf = new WeakMap<DocumentNode, Map<string, EventPlan | undefined>>();

/**
 * What `execute` would answer for an event, as the value of the subscription's field, of which the document selects nothing but plain values, such as states, versions and
 * cursors; undefined where it selects more, has directives or meets a value that does not fit. What a document selects of each type
 * is looked at once; to execute it for each event is a third of what an event leaves to the garbage collector.
 */
export function plainData(
  { schema, document, operationName }: Pick<ExecutionArgs, 'schema' | 'document' | 'operationName'>,
  event: ExecutionEvent,
): Record<string, unknown> | undefined {
  const plans = plansOf.get(document) ?? new Map<string, EventPlan | undefined>();
  if (plans.size === 0) plansOf.set(document, plans);
  const name = `${event.__typename} ${operationName ?? ''}`;
  let plan = plans.get(name);
  if (!plan && !plans.has(name)) {
    plan = new Planner(schema, document).plan(event.__typename, operationName);
    plans.set(name, plan);
  }
  return plan && dataOf(plan, event);
}

function dataOf({ root, fields }: EventPlan, event: ExecutionEvent): Record<string, unknown> | undefined {
  const told: Record<string, unknown> = {};
  try {
    for (const { key, read } of fields) told[key] = read(event);
  } catch {
    // Executed, it becomes an error at its path.
    return undefined;
  }
  return { [root]: told };
}

/** Ends the look at a document that is not plain. */
class NotPlain extends Error {}

class Planner {
  constructor(
    private readonly schema: GraphQLSchema,
    private readonly document: DocumentNode,
  ) {}

  plan(typeName: string, operationName: string | null | undefined): EventPlan | undefined {
    try {
      return this.planOf(typeName, operationName);
    } catch (error) {
      if (error instanceof NotPlain) return undefined;
      throw error;
    }
  }

  private planOf(typeName: string, operationName: string | null | undefined): EventPlan {
    const type = this.schema.getType(typeName);
    const subscription = this.schema.getSubscriptionType();
    if (!(type instanceof GraphQLObjectType) || !subscription) throw new NotPlain();
    const [[root, nodes] = notPlain(), ...others] = this.collect(subscription, [this.operation(operationName)]);
    if (others.length > 0) throw new NotPlain();
    const selected = this.collect(
      type,
      nodes.map(({ selectionSet }) => selectionSet ?? notPlain()),
    );
    return { root, fields: [...selected].map(([key, [node = notPlain()]]) => ({ key, read: readerOf(type, node) })) };
  }

  private operation(wanted: string | null | undefined): SelectionSetNode {
    const operations = this.document.definitions.filter((each) => each.kind === Kind.OPERATION_DEFINITION);
    const found =
      wanted === undefined || wanted === null ? operations[0] : operations.find(({ name }) => name?.value === wanted);
    return found?.selectionSet ?? notPlain();
  }

  /** As the specification's CollectFields, for what has no directives. */
  private collect(
    type: GraphQLObjectType,
    selections: readonly SelectionSetNode[],
    found = new Map<string, FieldNode[]>(),
  ): Map<string, FieldNode[]> {
    for (const selection of selections.flatMap((each) => each.selections)) {
      if (selection.directives?.length) throw new NotPlain();
      if (selection.kind === Kind.FIELD) {
        const key = (selection.alias ?? selection.name).value;
        // An alias may be any name. An object without a prototype would hold this one, and be slower for all others.
        if (key === '__proto__') throw new NotPlain();
        found.set(key, [...(found.get(key) ?? []), selection]);
        continue;
      }
      const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? this.fragment(selection.name.value) : selection;
      if (this.applies(fragment.typeCondition?.name.value, type)) this.collect(type, [fragment.selectionSet], found);
    }
    return found;
  }

  private fragment(wanted: string) {
    for (const each of this.document.definitions) {
      if (each.kind === Kind.FRAGMENT_DEFINITION && each.name.value === wanted) return each;
    }
    return notPlain();
  }

  private applies(condition: string | undefined, type: GraphQLObjectType): boolean {
    if (condition === undefined || condition === type.name) return true;
    const conditional = this.schema.getType(condition);
    return isAbstractType(conditional) && this.schema.isSubType(conditional, type);
  }
}

function readerOf(type: GraphQLObjectType, { name, arguments: given }: FieldNode): PlainField['read'] {
  if (name.value === '__typename') return () => type.name;
  const field = type.getFields()[name.value];
  if (!field || given?.length || field.args.length > 0 || !isReadByName(field)) throw new NotPlain();
  const leaf = field.type instanceof GraphQLNonNull ? field.type.ofType : field.type;
  if (!isLeafType(leaf)) throw new NotPlain();
  const mayBeNull = isNullableType(field.type);
  return (event) => {
    const value: unknown = Reflect.get(event, field.name);
    if (typeof value === 'function') throw new NotPlain();
    const serialized: unknown = value === undefined || value === null ? null : leaf.serialize(value);
    if (serialized === undefined || (serialized === null && !mayBeNull)) throw new NotPlain();
    return serialized;
  };
}

const isReadByName = ({ resolve }: GraphQLField<unknown, unknown>): boolean =>
  resolve === undefined || resolve === defaultFieldResolver;

function notPlain(): never {
  throw new NotPlain();
}
