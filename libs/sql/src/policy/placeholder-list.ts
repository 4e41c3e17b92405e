import type { TypedValue } from './policy-types.js';

/**
 * The values that a text binds, numbered behind those that it had before. Each place has a placeholder of its own: an
 * engine gives a placeholder the type of the first place, which need not be that of the next.
 */
export class PlaceholderList {
  readonly values: TypedValue[] = [];

  constructor(private readonly valueCount: number) {}

  /** Such as `$3`. */
  add(value: TypedValue): string {
    this.values.push(value);
    return `$${this.valueCount + this.values.length}`;
  }

  /** For a list between parentheses; nothing is in an empty one, and nothing is known to be outside of it either. */
  addList(values: readonly TypedValue[]): string {
    return values.length === 0 ? 'null' : values.map((value) => this.add(value)).join(', ');
  }
}
