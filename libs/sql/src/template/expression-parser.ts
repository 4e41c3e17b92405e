import { shown } from '../sql-text.js';
import { canonicalNumber } from '../parameters/decimal.js';
import { isReservedName } from '../parameters/parameter-definition.js';
import type { ExpressionLexer, Token } from './expression-lexer.js';
import { faultOfFilter } from './filters.js';
import type { Comparison, Condition, FilterCall, Operand, Output, Reference } from './syntax-tree.js';
import { templateError } from './template-error.js';
import { templateLimits } from './template-limits.js';

const comparisons: ReadonlySet<string> = new Set<Comparison>(['==', '!=', '<', '<=', '>', '>=', 'in']);
const loopParts: ReadonlySet<string> = new Set(['index', 'first', 'last']);
const rangeParts: ReadonlySet<string> = new Set(['start', 'end']);
const nameLengthMax = 64;

/** Reads what stands in tags. The grammar has names, filters and comparisons: no calls, no objects, no operators. */
export class ExpressionParser {
  private depth = 0;

  constructor(
    private readonly text: string,
    private readonly onReference: (reference: Reference) => void,
  ) {}

  output(lexer: ExpressionLexer): Output {
    const reference = this.reference(lexer);
    const filters: FilterCall[] = [];
    while (lexer.takeIf('symbol', '|')) filters.push(this.filter(lexer));
    return { kind: 'output', reference, filters, at: reference.at };
  }

  condition(lexer: ExpressionLexer): Condition {
    return this.chain(lexer, 'or', () => this.chain(lexer, 'and', () => this.negation(lexer)));
  }

  reference(lexer: ExpressionLexer): Reference {
    const token = lexer.takeName("a parameter's name");
    const part = lexer.takeIf('symbol', '.') ? lexer.takeName('a name').text : undefined;
    const reference = { name: token.text, part, at: token.at };
    const fault = faultOfReference(reference);
    if (fault !== undefined) throw templateError(this.text, token.at, fault);
    this.onReference(reference);
    return reference;
  }

  private filter(lexer: ExpressionLexer): FilterCall {
    const { text: name, at } = lexer.takeName('a filter');
    let argument: string | undefined;
    if (lexer.takeIf('symbol', '(')) {
      const token = lexer.take();
      if (token.kind !== 'string') throw lexer.unexpected(token, 'a text in quotes');
      argument = token.text;
      if (!lexer.takeIf('symbol', ')')) throw lexer.unexpected(lexer.peek(), ')');
    }
    const fault = faultOfFilter(name, argument);
    if (fault !== undefined) throw templateError(this.text, at, fault);
    return { name, argument, at };
  }

  private chain(lexer: ExpressionLexer, kind: 'and' | 'or', operand: () => Condition): Condition {
    const first = operand();
    const operands = [first];
    while (lexer.takeIf('name', kind)) operands.push(operand());
    return operands.length === 1 ? first : { kind, operands };
  }

  private negation(lexer: ExpressionLexer): Condition {
    const { at } = lexer.peek();
    const isNegated = lexer.takeIf('name', 'not');
    if (!isNegated && !lexer.takeIf('symbol', '(')) return this.comparison(lexer);
    if (++this.depth > templateLimits.depthMax)
      throw templateError(this.text, at, 'This condition is nested too deeply.');
    const inner = isNegated ? this.negation(lexer) : this.condition(lexer);
    this.depth -= 1;
    if (isNegated) return { kind: 'not', operand: inner };
    if (!lexer.takeIf('symbol', ')')) throw lexer.unexpected(lexer.peek(), ')');
    return inner;
  }

  private comparison(lexer: ExpressionLexer): Condition {
    const left = this.operand(lexer);
    const { text, at } = lexer.peek();
    if (!isComparison(text)) return { kind: 'truth', operand: left };
    lexer.take();
    return { kind: 'comparison', operator: text, left, right: this.operand(lexer), at };
  }

  private operand(lexer: ExpressionLexer): Operand {
    const token = lexer.peek();
    const literal = literalOf(token);
    if (!literal) return { kind: 'reference', reference: this.reference(lexer) };
    lexer.take();
    return literal;
  }
}

function literalOf({ kind, text }: Token): Operand | undefined {
  if (kind === 'string') return { kind: 'literal', value: { type: 'text', value: text } };
  if (kind === 'number') {
    const value = canonicalNumber(text);
    return value === undefined ? undefined : { kind: 'literal', value: { type: 'number', value } };
  }
  if (kind !== 'name') return undefined;
  if (text === 'null') return { kind: 'literal', value: { type: 'text', value: null } };
  if (text === 'true' || text === 'false') return { kind: 'literal', value: { type: 'boolean', value: text } };
  return undefined;
}

function isComparison(text: string): text is Comparison {
  return comparisons.has(text);
}

function faultOfReference({ name, part }: Reference): string | undefined {
  if (name.length > nameLengthMax || (part?.length ?? 0) > nameLengthMax) return 'This name is too long.';
  if (name === 'user')
    return part === undefined ? 'Write user.id, user.email, user.groups or user.<attribute>.' : undefined;
  if (name === 'loop') {
    return part !== undefined && loopParts.has(part) ? undefined : 'A loop has loop.index, loop.first and loop.last.';
  }
  if (isReservedName(name) || !/^[A-Za-z]/.test(name)) return `"${shown(name)}" cannot be the name of a parameter.`;
  if (part === undefined || rangeParts.has(part)) return undefined;
  return `"${shown(name)}" has no part "${shown(part)}": a range has start and end, other parameters have none.`;
}
