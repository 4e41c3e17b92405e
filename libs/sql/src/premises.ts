/** What a proof takes for granted. */
export interface Premises {
  /** Functions beyond the built-in ones that the owner of the source vouches for. */
  readonly extraFunctions: ReadonlySet<string>;
  /** How many values are bound: `$1` to this may stand in the text. */
  readonly valueCount: number;
}
