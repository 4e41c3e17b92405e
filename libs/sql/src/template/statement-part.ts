import type { BoundValue } from '../parameters/bound-value.js';

/** What a rendered template is made of, in its order, before values have their places in the statement. */
export type StatementPart =
  | { readonly kind: 'text'; readonly text: string }
  | ({ readonly kind: 'value'; readonly value: BoundValue; readonly isTyped: boolean } & Origin)
  | ({ readonly kind: 'list'; readonly values: readonly BoundValue[]; readonly isTyped: boolean } & Origin)
  | ({ readonly kind: 'identifiers'; readonly names: readonly string[] } & Origin);

export type ValuePart = Exclude<StatementPart, { kind: 'text' }>;

/** For messages: the name in the template, and where it stands. */
interface Origin {
  readonly label: string;
  readonly at: number;
}
