import { shown } from '../sql-text.js';
import { templateError } from './template-error.js';

export type TokenKind = 'name' | 'number' | 'string' | 'symbol' | 'close';

export interface Token {
  readonly kind: TokenKind;
  /** Of a string, what is between its quotes. */
  readonly text: string;
  readonly at: number;
}

const rawHint = 'Text that only looks like a tag is written between {% raw %} and {% endraw %}.';
const space = /\s*/y;
const forms: readonly (readonly [TokenKind, RegExp])[] = [
  ['close', /-?(?:\}\}|%\})/y],
  ['name', /[A-Za-z_]\w*/y],
  ['number', /-?\d+(?:\.\d+)?/y],
  ['string', /"[^"]*"|'[^']*'/y],
  ['symbol', /==|!=|<=|>=|[<>|(),.]/y],
];

/** The inside of one tag, word by word, up to its end. */
export class ExpressionLexer {
  private ahead: Token | undefined;
  private end: number;
  /** Where the first token is. */
  private first: number | undefined;

  constructor(
    private readonly text: string,
    private readonly start: number,
  ) {
    this.end = start + 2;
    if (text[this.end] === '-') this.end += 1;
  }

  /** The place behind what was taken. */
  get position(): number {
    return this.end;
  }

  peek(): Token {
    return (this.ahead ??= this.read());
  }

  take(): Token {
    const token = this.peek();
    this.ahead = undefined;
    return token;
  }

  /** Takes the next token where it is this one. */
  takeIf(kind: TokenKind, text: string): boolean {
    const token = this.peek();
    if (token.kind !== kind || token.text !== text) return false;
    this.ahead = undefined;
    return true;
  }

  takeName(what: string): Token {
    const token = this.take();
    if (token.kind !== 'name') throw this.unexpected(token, what);
    return token;
  }

  /** Takes the tag's end, `}}` or `%}`; true where it asks to trim the space behind it. */
  takeClose(brackets: '}}' | '%}'): boolean {
    const token = this.take();
    if (token.kind !== 'close' || !token.text.endsWith(brackets)) throw this.unexpected(token, brackets);
    return token.text.startsWith('-');
  }

  unexpected({ text, at }: Token, expected: string): Error {
    // `'{{1,2},{3,4}}'` is an array of PostgreSQL, and no tag.
    const hint = at === this.first ? ` ${rawHint}` : '';
    return templateError(this.text, at, `Expected ${expected}, not "${shown(text)}".${hint}`);
  }

  private read(): Token {
    space.lastIndex = this.end;
    space.exec(this.text);
    const at = space.lastIndex;
    for (const [kind, form] of forms) {
      form.lastIndex = at;
      const match = form.exec(this.text);
      if (!match) continue;
      this.end = form.lastIndex;
      this.first ??= at;
      return { kind, text: kind === 'string' ? match[0].slice(1, -1) : match[0], at };
    }
    const character = this.text[at];
    if (character === undefined || character === '"' || character === "'") {
      throw templateError(this.text, this.start, `This tag is not closed. ${rawHint}`);
    }
    throw templateError(this.text, at, `"${shown(character)}" cannot stand in a tag.`);
  }
}
