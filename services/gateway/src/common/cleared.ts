/** The members of an update that are null, which clears them, by their names; what is absent stays as it is. */
export function clearedIn(input: object): string[] {
  return Object.entries(input)
    .filter(([, value]) => value === null)
    .map(([name]) => name);
}

/** For messages in which a list that may be absent travels in a wrapper of its own. */
export function listOf(values: readonly string[] | null | undefined): { values: string[] } | undefined {
  return values ? { values: [...values] } : undefined;
}
