/** The words of a text between spaces and line ends; the form that the generated lists have. */
export function wordSet(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/).filter((word) => word !== ''));
}
