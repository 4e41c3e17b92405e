import { fenceAlias, type ProvenExpression } from './fence.js';
import type { PlaceholderList } from './placeholder-list.js';
import type { ColumnUse, PolicyDialect } from './policy-dialect.js';
import { policyRejection } from './policy-rejection.js';
import type { PolicyCaller, RowPolicy, TypedValue } from './policy-types.js';
import { parsePredicateTemplate, valuesOfCaller, type PredicateTemplate } from './predicate-template.js';
import { characterIndexes } from './splice.js';
import { isSameTree, type TreeNode } from './syntax-tree.js';

/** A policy's predicate, read once: what it names, and its text with every column under the fence's alias. */
export interface Predicate {
  readonly columns: readonly string[];
  /** Whether anything in it may make a value of NULL. */
  readonly mayFillNulls: boolean;
  readonly template: PredicateTemplate;
}

/** Parses texts of which many are alike; the answer is shared and must not be changed. */
export type ParseExpression = (text: string, valueCount: number) => Promise<unknown>;

/**
 * Proves that a predicate is one boolean-shaped expression over columns alone, whatever its text tries to be.
 * @throws AppError sql.rejected
 */
export async function readPredicate(
  policy: RowPolicy,
  dialect: PolicyDialect,
  parse: ParseExpression,
): Promise<Predicate> {
  const template = parsePredicateTemplate(policy.predicate);
  const names = template.parts.filter((part) => typeof part !== 'string');
  const texts = renderParts(
    template,
    names.map((_name, index) => `$${index + 1}`),
  );
  const text = texts.join('');
  const tree = await parse(text, names.length);
  const placeholders = [...dialect.placeholdersOf(tree)].sort((left, right) => left - right);
  if (placeholders.some((number, index) => number !== index + 1) || placeholders.length !== names.length) {
    throw policyRejection('A predicate’s values stand where an expression does, outside of quotes, and only by {{ }}.');
  }
  const uses = dialect.columnsOf(tree);
  const qualified = qualify(texts, uses);
  await assertQualified(qualified.join(''), tree, uses, dialect, parse, names.length);
  const parts = template.parts.map((part, index) => (typeof part === 'string' ? (qualified[index] ?? '') : part));
  const columns = [...new Set(uses.map(({ name }) => name))];
  return { columns, mayFillNulls: dialect.mayFillNulls(tree), template: { parts } };
}

/** The predicate for one caller; `false` where a value is absent. */
export async function bindPredicate(
  { template }: Predicate,
  caller: PolicyCaller | undefined,
  placeholders: PlaceholderList,
  parse: (text: string) => Promise<unknown>,
): Promise<ProvenExpression & { readonly isClosed: boolean }> {
  const values = valuesFor(template, caller);
  const text =
    values === undefined
      ? 'false'
      : renderParts(
          template,
          values.map((each) => placeholders.addList(each)),
        ).join('');
  return { text, tree: await parse(text), isClosed: values === undefined };
}

function valuesFor(
  { parts }: PredicateTemplate,
  caller: PolicyCaller | undefined,
): readonly (readonly TypedValue[])[] | undefined {
  if (!caller) return undefined;
  const values = parts.filter((part) => typeof part !== 'string').map(({ name }) => valuesOfCaller(caller, name));
  const present = values.filter((each) => each !== undefined);
  return present.length === values.length ? present : undefined;
}

function renderParts({ parts }: PredicateTemplate, placeholders: readonly string[]): string[] {
  let next = 0;
  return parts.map((part) => {
    if (typeof part === 'string') return part;
    next += 1;
    return placeholders[next - 1] ?? '';
  });
}

const select = 'select ';

/** Puts the fence's alias before each column, in the parts in which the columns stand. */
function qualify(texts: readonly string[], uses: readonly ColumnUse[]): string[] {
  const indexOf = characterIndexes(select + texts.join(''));
  const places = uses.map(({ location }) => {
    if (location === undefined) throw policyRejection('The parser does not tell where a column is named.');
    return indexOf(location) - select.length;
  });
  const result = [...texts];
  for (const place of places.sort((left, right) => right - left)) {
    let start = 0;
    let part = 0;
    while (part < texts.length - 1 && place >= start + (texts[part] ?? '').length) {
      start += (texts[part] ?? '').length;
      part += 1;
    }
    const text = result[part] ?? '';
    result[part] = `${text.slice(0, place - start)}${fenceAlias}.${text.slice(place - start)}`;
  }
  return result;
}

async function assertQualified(
  text: string,
  tree: unknown,
  uses: readonly ColumnUse[],
  dialect: PolicyDialect,
  parse: ParseExpression,
  valueCount: number,
): Promise<void> {
  const expected = new Map<unknown, unknown>(uses.map((use) => [use.node, dialect.qualified(use, fenceAlias)]));
  if (isSameTree(tree, await parse(text, valueCount), expected)) return;
  throw policyRejection('A predicate’s columns could not be told from the rest of it.');
}

/**
 * The expression that a text is, when it is one and nothing more.
 * @throws AppError sql.rejected, or what the proof of reading says
 */
export async function parseExpression(
  text: string,
  valueCount: number,
  dialect: PolicyDialect,
  extraFunctions: ReadonlySet<string>,
): Promise<unknown> {
  const statement: TreeNode = dialect.prove(await dialect.parse(select + text), { extraFunctions, valueCount });
  const expression = dialect.expressionOf(statement);
  if (expression === undefined) throw policyRejection('A predicate is one expression.');
  return expression;
}
