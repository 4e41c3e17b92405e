import { AppError } from '#libs/kernel';
import { shown, sqlLengthMax } from '../sql-text.js';
import type { BoundValue } from '../parameters/bound-value.js';
import type { ValuePart } from './statement-part.js';
import { StringLiteral } from './string-literal.js';
import type { TemplateDialect } from './template-dialects.js';
import { ValueBinder } from './value-binder.js';
import { precedingType, WordTrail } from './word-trail.js';

/** Where the statement's text stands; a value has its own way in each of them, or none. */
type Mode =
  | { readonly kind: 'code' | 'line comment' | 'quoted identifier' }
  | { readonly kind: 'block comment'; depth: number }
  | { readonly kind: 'dollar-quoted string'; readonly tag: string }
  | { readonly kind: 'string'; readonly literal: StringLiteral; readonly start: number };

const code: Mode = { kind: 'code' };
const partOfName = 'A value cannot be part of a name or a number';
const forms = {
  plain: /[^\w$'"/?.\x80-\uffff-]+/y,
  number: /\d[\w.]*/y,
  dollarQuote: /\$(?:[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?\$/y,
  lineEnd: /[\n\r]/g,
  comment: /\/\*|\*\//g,
} as const;
/** Behind an interval's text they say its unit, and would be read as something else behind a cast. */
const intervalField =
  /^(?:(?:micro|milli)?seconds?|minutes?|hours?|days?|weeks?|months?|quarters?|years?|decades?|centur(?:y|ies)|millenni(?:um|a))$/i;

/**
 * Writes a statement from text and values. It follows the text as the dialect's own lexer would, so that it knows
 * whether a value stands in code, in a string or where none can be bound; a value itself is never written.
 */
export class StatementWriter {
  /** Token by token, so that the last ones can be taken back; a long text would be copied each time. */
  private readonly tokens: string[] = [];
  private length = 0;
  private mode: Mode = code;
  private readonly trail = new WordTrail();
  private readonly binder: ValueBinder;
  private last: ValuePart | undefined;
  /** A value stands at the very end, and the author's text must not touch it. */
  private isOpenEnded = false;
  /** A string has just become a value; its quote may have touched the word that follows. */
  private needsSpace = false;
  /** The value of an interval that has just ended. */
  private awaitsNoField: ValuePart | undefined;

  constructor(
    private readonly dialect: TemplateDialect,
    firstPlaceholder: number,
    private readonly refuse: (part: ValuePart, message: string) => Error,
  ) {
    this.binder = new ValueBinder(dialect, firstPlaceholder);
  }

  addText(text: string): void {
    if (this.isOpenEnded && this.last && this.isNameCharacter(text.charAt(0))) throw this.refuse(this.last, partOfName);
    this.isOpenEnded = false;
    for (let at = 0; at < text.length;) at = this.step(text, at);
    this.assertLength();
  }

  addValue(part: ValuePart): void {
    this.last = part;
    const { mode } = this;
    if (mode.kind === 'string') {
      this.addToString(mode.literal, part);
    } else if (mode.kind === 'code') {
      this.addToCode(part);
    } else {
      const hint = mode.kind === 'quoted identifier' ? '; write {{ name | identifier }} without the quotes' : '';
      throw this.refuse(part, `A value cannot be bound inside a ${mode.kind}${hint}`);
    }
    this.assertLength();
  }

  finish(): { sql: string; values: BoundValue[] } {
    const { kind } = this.mode;
    if (kind === 'code' || kind === 'line comment') return { sql: this.tokens.join(''), values: this.binder.values };
    throw new AppError('sql.rejected', `The statement ends inside a ${kind}.`);
  }

  private step(text: string, at: number): number {
    const { mode } = this;
    switch (mode.kind) {
      case 'code':
        return this.stepCode(text, at);
      case 'string':
        return this.stepString(mode, text, at);
      case 'line comment':
        return this.skipTo(text, at, matchFrom(forms.lineEnd, text, at));
      case 'quoted identifier':
        return this.skipTo(text, at, endOf(text, '"', at));
      case 'dollar-quoted string':
        return this.skipTo(text, at, endOf(text, mode.tag, at));
      case 'block comment': {
        const end = matchFrom(forms.comment, text, at);
        if (end !== undefined) mode.depth += text[end - 1] === '*' ? 1 : -1;
        return this.skipTo(text, at, end, mode.depth > 0 ? mode : code);
      }
    }
  }

  /** Writes up to the end of what no value can stand in; without an end, all of the text. */
  private skipTo(text: string, at: number, end: number | undefined, next: Mode = code): number {
    this.write(text.slice(at, end));
    if (end !== undefined) this.mode = next;
    return end ?? text.length;
  }

  private stepCode(text: string, at: number): number {
    const name = matchAt(this.dialect.name, text, at);
    const token = name ?? matchAt(forms.plain, text, at) ?? matchAt(forms.number, text, at);
    if (token === undefined) return this.stepSign(text, at);
    this.assertNoField(token);
    if (this.needsSpace && this.isNameCharacter(token.charAt(0))) this.write(' ');
    this.needsSpace = false;
    if (name !== undefined) this.trail.addName(name, this.tokens.length);
    else this.trail.addOther(token);
    this.write(token);
    return at + token.length;
  }

  /** A sign that may begin something longer than itself. */
  private stepSign(text: string, at: number): number {
    if (text.startsWith('--', at)) return this.open(text, at, 2, { kind: 'line comment' });
    if (text.startsWith('/*', at)) return this.open(text, at, 2, { kind: 'block comment', depth: 1 });
    const character = text.charAt(at);
    this.assertNoField(character);
    this.needsSpace = false;
    if (character === "'") return this.openString(at);
    if (character === '"') return this.open(text, at, 1, { kind: 'quoted identifier' });
    const tag = matchAt(forms.dollarQuote, text, at);
    if (tag !== undefined) return this.open(text, at, tag.length, { kind: 'dollar-quoted string', tag });
    const own = matchAt(this.dialect.ownPlaceholder, text, at);
    if (own !== undefined) {
      throw new AppError(
        'sql.rejected',
        `A template writes its values as {{ name }}; "${shown(own)}" is a placeholder.`,
      );
    }
    this.trail.addOther(character);
    this.write(character);
    return at + 1;
  }

  private open(text: string, at: number, length: number, mode: Mode): number {
    this.write(text.slice(at, at + length));
    this.trail.clear();
    this.mode = mode;
    return at + length;
  }

  private openString(at: number): number {
    const prefix = this.prefixOfString();
    const start = this.tokens.length - prefix.length;
    this.mode = { kind: 'string', literal: new StringLiteral(this.takeBack(start)), start };
    return at + 1;
  }

  /** The tokens of E'…' and its like, where such a one touches the quote. */
  private prefixOfString(): readonly string[] {
    const [before = '', last = ''] = this.tokens.slice(-2);
    if (/^[enbx]$/i.test(last)) return [last];
    return /^u$/i.test(before) && last === '&' ? [before, last] : [];
  }

  private stepString(mode: Extract<Mode, { kind: 'string' }>, text: string, at: number): number {
    const end = mode.literal.addText(text, at);
    if (end === undefined) return text.length;
    this.mode = code;
    this.closeString(mode.literal, mode.start);
    return end;
  }

  private closeString(literal: StringLiteral, start: number): void {
    const part = this.last;
    if (!literal.hasValues || !part) {
      this.write(literal.source());
    } else {
      const type = precedingType(this.trail.before(start));
      if (type) this.takeBack(type.start);
      const value = literal.compose(this.binder);
      // What takes the place of quotes needs a space where these touched a word.
      if (this.endsInName()) this.write(' ');
      this.write(type ? `CAST(${value} AS ${type.name})` : value);
      this.needsSpace = true;
      if (type?.name === 'interval') this.awaitsNoField = part;
    }
    this.trail.clear();
  }

  private addToString(literal: StringLiteral, part: ValuePart): void {
    if (part.kind !== 'value')
      throw this.refuse(part, `A ${part.kind === 'list' ? 'list' : 'name'} cannot stand in a string`);
    const fault = literal.addValue(part.value);
    if (fault !== undefined) throw this.refuse(part, fault);
  }

  private addToCode(part: ValuePart): void {
    this.awaitsNoField = undefined;
    this.needsSpace = false;
    const isName = part.kind === 'identifiers';
    if (this.endsInName()) throw this.refuse(part, partOfName);
    if (!isName && this.tokens.at(-1) === '.') throw this.refuse(part, 'A value cannot stand behind a dot');
    if (isName) this.write(part.names.map((name) => this.dialect.quoteIdentifier(name)).join(', '));
    else this.write(this.placeholdersOf(part));
    this.isOpenEnded = true;
    this.trail.clear();
  }

  private placeholdersOf(part: Exclude<ValuePart, { kind: 'identifiers' }>): string {
    // A list without values matches nothing, in NOT IN too.
    const values = part.kind === 'list' ? part.values : [part.value];
    if (values.length === 0) return 'NULL';
    return values
      .map((value) => (part.isTyped || value.type !== 'text' ? this.binder.bindCast(value) : this.binder.bind(value)))
      .join(', ');
  }

  private assertNoField(token: string): void {
    if (!this.awaitsNoField || token.trim() === '') return;
    if (intervalField.test(token)) {
      throw this.refuse(this.awaitsNoField, `Write the unit into the interval's string: '{{ … }} ${token}'`);
    }
    this.awaitsNoField = undefined;
  }

  private assertLength(): void {
    if (this.length <= sqlLengthMax) return;
    throw new AppError('sql.too_long', `The template makes a statement of more than ${sqlLengthMax} characters.`);
  }

  private write(token: string): void {
    this.tokens.push(token);
    this.length += token.length;
  }

  /** Takes the tokens from a place on out of the statement again, and answers their text. */
  private takeBack(start: number): string {
    const text = this.tokens.splice(start).join('');
    this.length -= text.length;
    return text;
  }

  private endsInName(): boolean {
    return this.isNameCharacter(this.tokens.at(-1)?.slice(-1) ?? '');
  }

  private isNameCharacter(character: string): boolean {
    return this.dialect.nameCharacter.test(character);
  }
}

/** What a sticky form matches at a place. `test` and a slice cost half of `exec`, which makes a list. */
function matchAt(form: RegExp, text: string, at: number): string | undefined {
  form.lastIndex = at;
  return form.test(text) ? text.slice(at, form.lastIndex) : undefined;
}

/** The place behind the next match. */
function matchFrom(form: RegExp, text: string, at: number): number | undefined {
  form.lastIndex = at;
  const match = form.exec(text);
  return match ? match.index + match[0].length : undefined;
}

function endOf(text: string, what: string, at: number): number | undefined {
  const index = text.indexOf(what, at);
  return index === -1 ? undefined : index + what.length;
}
