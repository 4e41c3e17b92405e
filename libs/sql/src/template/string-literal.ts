import type { BoundValue } from '../parameters/bound-value.js';
import type { ValueBinder } from './value-binder.js';

/** A string goes on behind its closing quote where a newline and another quote follow; comments may stand between. */
const continuation = /[ \t\f\v]*(?:--[^\n\r]*)?[\n\r](?:\s|--[^\n\r]*[\n\r])*'/y;

/** The prefixes under which the pieces of a string mean what they meant in the whole. */
const divisible: ReadonlySet<string> = new Set(['', 'E']);

/** One string of the statement, between its quotes as the author wrote it, with the values that stand in it. */
export class StringLiteral {
  private readonly pieces: (string | BoundValue)[] = [];

  /** @param prefix what stands in front of the opening quote: nothing, or E, U&, B, X or N in any case */
  constructor(private readonly prefix: string) {}

  get hasValues(): boolean {
    return this.pieces.some((piece) => typeof piece !== 'string');
  }

  /** Takes text from a place on; answers the place behind the closing quote, or undefined where the string goes on. */
  addText(text: string, from: number): number | undefined {
    const isEscaping = this.kind === 'E';
    let at = from;
    for (; at < text.length; at += 1) {
      if (isEscaping && text[at] === '\\') {
        at += 1;
      } else if (text[at] === "'") {
        const next = nextAfterQuote(text, at);
        if (next === undefined) break;
        at = next - 1;
      }
    }
    if (at > from) this.pieces.push(text.slice(from, at));
    return at < text.length ? at + 1 : undefined;
  }

  /** Why a value cannot stand here, if it cannot. */
  addValue(value: BoundValue): string | undefined {
    if (!divisible.has(this.kind)) return `A value cannot be bound inside a string with the prefix ${this.kind}`;
    const before = this.pieces.at(-1);
    if (this.kind === 'E' && typeof before === 'string' && /(?<!\\)(?:\\\\)*\\$/.test(before)) {
      return 'A value cannot stand behind a backslash';
    }
    // Between quotes it is what a literal is: a text whose type the source finds out.
    this.pieces.push({ type: 'text', value: value.value });
    return undefined;
  }

  /** The string as it was, when it has no values. */
  source(): string {
    return `${this.prefix}'${this.pieces.map(String).join('')}'`;
  }

  /** The expression that takes the string's place: one placeholder, or pieces that are joined. */
  compose(binder: ValueBinder): string {
    const [only] = this.pieces;
    if (this.pieces.length === 1 && typeof only === 'object') return binder.bind(only);
    const terms = this.pieces.map((piece) =>
      typeof piece === 'string' ? `${this.prefix}'${piece}'` : binder.bindCast(piece),
    );
    return `(${terms.join(' || ')})`;
  }

  private get kind(): string {
    return this.prefix.toUpperCase();
  }
}

/** Where the string goes on behind a quote in it: a doubled one, or a continuation. Undefined where it ends. */
function nextAfterQuote(text: string, at: number): number | undefined {
  if (text[at + 1] === "'") return at + 2;
  continuation.lastIndex = at + 1;
  return continuation.test(text) ? continuation.lastIndex : undefined;
}
