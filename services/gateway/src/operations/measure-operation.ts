import { Kind, type DocumentNode, type FragmentDefinitionNode, type SelectionSetNode } from 'graphql';

/** What a document would cost, each fragment counted wherever it is spread. */
export interface Measure {
  readonly depth: number;
  readonly fields: number;
  readonly aliases: number;
  readonly directives: number;
  /** The most directives at one place. */
  readonly directivesAtOnce: number;
}

/** A circle of fragments, which validation would find too, but only after it had walked through the whole document. */
export const endless: Measure = {
  depth: Infinity,
  fields: Infinity,
  aliases: Infinity,
  directives: Infinity,
  directivesAtOnce: Infinity,
};

const nothing: Measure = { depth: 0, fields: 0, aliases: 0, directives: 0, directivesAtOnce: 0 };

/**
 * Measures a parsed document before it is validated, since validation itself can be made slow. Each fragment is
 * measured once, so a short document whose fragments multiply is as quickly measured as any other.
 */
export function measureDocument(document: DocumentNode): Measure {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const node of document.definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node);
  }
  const measurer = new Measurer(fragments);
  let total = nothing;
  for (const node of document.definitions) {
    if (node.kind === Kind.OPERATION_DEFINITION) total = both(total, measurer.operation(node));
    else if (node.kind !== Kind.FRAGMENT_DEFINITION) return endless;
  }
  // A fragment that nothing uses is validated all the same.
  const unused = [...fragments.keys()].filter((name) => !measurer.hasMeasured(name));
  return unused.map((name) => measurer.fragment(name)).reduce(both, total);
}

interface Directed {
  readonly directives?: readonly unknown[] | undefined;
}

class Measurer {
  private readonly known = new Map<string, Measure>();
  private readonly open = new Set<string>();

  constructor(private readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>) {}

  operation(node: {
    readonly selectionSet: SelectionSetNode;
    readonly directives?: readonly unknown[] | undefined;
    readonly variableDefinitions?: readonly Directed[] | undefined;
  }): Measure {
    const variables = (node.variableDefinitions ?? []).map(directivesOf);
    return [directivesOf(node), ...variables].reduce(both, this.selections(node.selectionSet));
  }

  hasMeasured(fragment: string): boolean {
    return this.known.has(fragment);
  }

  fragment(name: string): Measure {
    const known = this.known.get(name);
    if (known) return known;
    const node = this.fragments.get(name);
    // An unknown fragment is for validation to name.
    if (!node) return nothing;
    if (this.open.has(name)) return endless;
    this.open.add(name);
    const measure = both(this.selections(node.selectionSet), directivesOf(node));
    this.open.delete(name);
    this.known.set(name, measure);
    return measure;
  }

  private selections(set: SelectionSetNode): Measure {
    return set.selections
      .map((selection) => both(this.selection(selection), directivesOf(selection)))
      .reduce(both, nothing);
  }

  private selection(selection: SelectionSetNode['selections'][number]): Measure {
    switch (selection.kind) {
      case Kind.FRAGMENT_SPREAD:
        return this.fragment(selection.name.value);
      case Kind.INLINE_FRAGMENT:
        return this.selections(selection.selectionSet);
      case Kind.FIELD: {
        const inner = selection.selectionSet ? this.selections(selection.selectionSet) : nothing;
        // Introspection nests deep and wide by its nature; its length is bounded in tokens, and circles in it have a rule of their own.
        const isMeta = selection.name.value.startsWith('__');
        return {
          ...inner,
          depth: isMeta ? 1 : inner.depth + 1,
          fields: isMeta ? 1 : inner.fields + 1,
          aliases: inner.aliases + (selection.alias ? 1 : 0),
        };
      }
    }
  }
}

function directivesOf({ directives }: Directed): Measure {
  const count = directives?.length ?? 0;
  return { ...nothing, directives: count, directivesAtOnce: count };
}

function both(one: Measure, other: Measure): Measure {
  return {
    depth: Math.max(one.depth, other.depth),
    fields: one.fields + other.fields,
    aliases: one.aliases + other.aliases,
    directives: one.directives + other.directives,
    directivesAtOnce: Math.max(one.directivesAtOnce, other.directivesAtOnce),
  };
}
