import type { TypedValue } from './policy-types.js';

/** The values that a text binds, each once, numbered behind those that it had before. */
export class PlaceholderList {
  readonly values: TypedValue[] = [];
  readonly #numbers = new Map<string, number>();

  constructor(private readonly valueCount: number) {}

  /** `$3` for a value; the same value of the same type is the same placeholder. */
  add(value: TypedValue): string {
    const key = JSON.stringify([value.type, value.value]);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      this.values.push(value);
      number = this.valueCount + this.values.length;
      this.#numbers.set(key, number);
    }
    return `$${number}`;
  }

  /** For a list between parentheses; nothing is in an empty one, and nothing is known to be outside of it either. */
  addList(values: readonly TypedValue[]): string {
    return values.length === 0 ? 'null' : values.map((value) => this.add(value)).join(', ');
  }
}
