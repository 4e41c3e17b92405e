/** In words of ours: what a library says may carry addresses of our network. */
const failures: Readonly<Record<string, string>> = {
  REFUSED_ADDRESS: 'Its address is not one that webhooks may be sent to.',
  ABORT_ERR: 'It did not answer in time.',
  ETIMEDOUT: 'It did not answer in time.',
  ENOTFOUND: 'Its name is not known.',
  EAI_AGAIN: 'Its name could not be looked up.',
  ECONNREFUSED: 'It refused the connection.',
  ECONNRESET: 'It closed the connection without an answer.',
  EPIPE: 'It closed the connection without an answer.',
  EHOSTUNREACH: 'It cannot be reached.',
  ENETUNREACH: 'It cannot be reached.',
};

export function failureOf(error: unknown): string {
  const code = codeOf(error);
  const known = failures[code];
  if (known !== undefined) return known;
  if (/CERT|TLS|SSL|SIGNED|ISSUER|EPROTO/.test(code)) return 'Its certificate is not good, or it speaks no TLS.';
  return code.startsWith('HPE_') ? 'It does not speak HTTP.' : 'The connection failed.';
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  // Tried with every address of the name, and failed with each.
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}
