/** What a client cannot tell from a gateway that is not there: nothing was sent, and it goes to another one. */
const unsent = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);

/** Whether an attempt has shown its client a fault, beside having let it wait. */
export function isTold(error: unknown): boolean {
  return !unsent.has(codeOf(error));
}

export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = codeOf(error);
  return code === '' ? error.message : `${error.message} (${code})`;
}

// fetch tells the connection's own fault as the cause of its own; several addresses make an AggregateError with a code.
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const { cause = error } = error;
  return typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : '';
}
