/** What one template may ask for. Its text, and the statement that it becomes, have at most `sqlLengthMax` characters. */
export const templateLimits = {
  tagsMax: 5_000,
  /** Blocks within blocks, and parentheses within parentheses. */
  depthMax: 16,
  /** Pieces of text, outputs and conditions that one rendering passes through, each turn of a loop anew. */
  stepsMax: 50_000,
  valuesMax: 10_000,
  /** Of all values together, as often as each is bound. */
  valueCharactersMax: 1_048_576,
} as const;
