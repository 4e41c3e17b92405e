import { AppError } from '#libs/kernel';
import type { BoundValue } from '../parameters/bound-value.js';
import type { TemplateDialect } from './template-dialects.js';
import { templateLimits } from './template-limits.js';

const { valuesMax, valueCharactersMax } = templateLimits;

/** Collects the values of one statement, and answers what stands for each of them in its text. */
export class ValueBinder {
  readonly values: BoundValue[] = [];
  private characters = 0;

  constructor(
    private readonly dialect: TemplateDialect,
    private readonly firstPlaceholder: number,
  ) {}

  /** The placeholder alone, whose type the source finds out. */
  bind(value: BoundValue): string {
    this.values.push(value);
    this.characters += value.value?.length ?? 0;
    if (this.values.length > valuesMax || this.characters > valueCharactersMax) {
      const message = `The template binds more than ${valuesMax} values, or ${valueCharactersMax} characters in values.`;
      throw new AppError('sql.rejected', message);
    }
    return this.dialect.placeholder(this.firstPlaceholder + this.values.length - 1);
  }

  /** The placeholder with the type that the value has. */
  bindCast(value: BoundValue): string {
    return `CAST(${this.bind(value)} AS ${this.dialect.typeOf(value)})`;
  }
}
