import type { BoundValue } from '../parameters/bound-value.js';

/** Where something begins in the template, in UTF-16 units. */
interface Placed {
  readonly at: number;
}

/** `status`, `period.start`, `user.region`, `loop.first`: a name and at most one part of it, never looked up in an object. */
export interface Reference extends Placed {
  readonly name: string;
  readonly part: string | undefined;
}

export interface FilterCall extends Placed {
  readonly name: string;
  readonly argument: string | undefined;
}

export type Operand =
  | { readonly kind: 'reference'; readonly reference: Reference }
  | { readonly kind: 'literal'; readonly value: BoundValue };

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in';

export type Condition =
  | { readonly kind: 'and' | 'or'; readonly operands: readonly Condition[] }
  | { readonly kind: 'not'; readonly operand: Condition }
  | { readonly kind: 'truth'; readonly operand: Operand }
  | ({
      readonly kind: 'comparison';
      readonly operator: Comparison;
      readonly left: Operand;
      readonly right: Operand;
    } & Placed);

export interface Output extends Placed {
  readonly kind: 'output';
  readonly reference: Reference;
  readonly filters: readonly FilterCall[];
}

export interface IfBlock {
  readonly kind: 'if';
  readonly branches: readonly { readonly condition: Condition; readonly body: readonly TemplateNode[] }[];
  readonly otherwise: readonly TemplateNode[];
}

export interface ForBlock extends Placed {
  readonly kind: 'for';
  readonly variable: string;
  readonly list: Reference;
  readonly body: readonly TemplateNode[];
}

export type TemplateNode = { readonly kind: 'text'; readonly text: string } | Output | IfBlock | ForBlock;

/** A template that was read once; it may be rendered any number of times, for any dialect. */
export interface Template {
  readonly text: string;
  readonly nodes: readonly TemplateNode[];
  /** The parameters that it reads, in whichever branch. */
  readonly names: ReadonlySet<string>;
  /** The caller's values that it reads: `id`, `email`, `groups` and attributes. */
  readonly userNames: ReadonlySet<string>;
}
