/** SQL for the host and port of the URL in a column. What follows them may be what lets one in, and is not searched. */
export function hostOf(column: string): string {
  return `substring(${column} from '^[^:]+://([^/?#]*)')`;
}
