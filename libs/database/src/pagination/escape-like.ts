/** A text as part of a LIKE pattern that finds just that text; `\` is PostgreSQL's own escape character. */
export function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}
